"""Messages, requests and responses are values that no code modifies, although they are mutable."""

import ast
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import xai_lowcode
from tests.core.test_generated_conversations import TEXTS, TOOLS, TURNS, build_messages
from xai_lowcode.chat.dialect_selection import DIALECTS, get_dialect
from xai_lowcode.chat.unsupported_parts import render_request
from xai_lowcode.protocol import steps
from xai_lowcode.types import messages, requests, responses
from xai_lowcode.types.requests import ChatRequest

VALUES = [
    *(getattr(messages, name) for name in vars(messages) if name.endswith("Part")),
    *(messages.Message, messages.StoredResponse, requests.ChatRequest, requests.ToolSpec),
    *(responses.Usage, responses.Citation, responses.Choice, responses.ChatResponse),
    *(steps.Call, steps.SendRequest, steps.Sleep, steps.RunBlocking),
    *(steps.HTTPResponse, steps.RequestFailed, steps.Success),
]
FIELDS = {field.name for value in VALUES if isinstance(value, type) for field in fields(value)}
# Attributes of other objects with the same names.
OTHER_ATTRIBUTES = {
    ("accumulator", "call.id"),
    ("accumulator", "call.name"),
    ("call_flow", "retry_state.headers"),
    ("error_mapping", "error.body"),
    ("exceptions", "error.response_started"),
    ("files", "state.file_id"),
    ("history", "unanswered[part.call_id].pop(0).result"),
    ("pool", "connection.stream"),
    ("request_builder", "request.url"),
}
PACKAGES = [
    Path(xai_lowcode.__file__).parent,
    *(
        Path(__file__).parents[2] / name
        for name in ("langchain_xai_lowcode", "llama_index_xai_lowcode")
    ),
]


def find_assigned_fields(path: Path) -> set[tuple[str, str]]:
    """Return the fields that a module assigns to, except those of ``self``, with its name."""
    return {
        (path.stem, ast.unparse(node))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and node.attr in FIELDS
        and ast.unparse(node.value) != "self"
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_no_module_assigns_to_a_field(package: Path) -> None:
    """No module assigns to a field; type checkers report this for frozen dataclasses only."""
    modules = [path for path in package.rglob("*.py") if "emulator" not in path.parts]
    assert set().union(*map(find_assigned_fields, modules)) <= OTHER_ATTRIBUTES


@given(turns=TURNS, question=st.none() | TEXTS)
def test_rendering_does_not_modify_a_request(turns: list[Any], question: str | None) -> None:
    """Rendering a request for any API, streamed or not, does not modify it."""
    request = ChatRequest(
        model="grok-4.7", messages=build_messages("Be brief.", turns, question), tools=TOOLS
    )
    original = deepcopy(request)
    for name in DIALECTS:
        for stream in (False, True):
            render_request(get_dialect(name), request, stream=stream)
    assert request == original
    assert hash(request.messages[0]) == hash(original.messages[0])
