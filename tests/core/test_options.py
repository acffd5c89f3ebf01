"""Each API sends an option, applies it client-side, omits it with a warning, or rejects it.

The table in ``docs/apis.md`` states the same.
"""

import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.core.fake_server import TOKEN, FakeServer, json_reply
from tests.core.wire import refused
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import BadRequestError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import OPTIONS, ChatRequest, ResponseFormat, ServerTool, ToolSpec

PAGE = Path(__file__).parents[2] / "docs" / "apis.md"
DIALECTS = ("chat_completions", "messages", "responses")
TOOL = ToolSpec("look", parameters={"type": "object", "properties": {}})
# Options are sent to the one family that is known to support them, except reasoning_effort.
SUPPORTS_MOST, SUPPORTS_EFFORT = "grok-4.20-0309-non-reasoning", "grok-4.7"
VALUES: dict[str, Any] = {
    "tools": (TOOL,),
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "response_format": ResponseFormat({"type": "object", "properties": {}}),
    "temperature": 0.5,
    "top_p": 0.5,
    "max_tokens": 9,
    "stop": ("z",),
    "n": 2,
    "seed": 1,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "logprobs": True,
    "top_logprobs": 2,
    "reasoning_effort": "low",
    "user": "u",
    "service_tier": "priority",
    "prompt_cache_key": "k",
    "server_tools": (ServerTool("web_search"),),
    "previous_response_id": "r",
    "store": True,
    "include": ("reasoning.encrypted_content",),
    "reasoning_summary": "auto",
    "max_turns": 2,
    "top_k": 3,
    "min_p": 0.5,
    "safety_identifier": "s",
    "guidelines": "g",
    "no_inline_citations": True,
    "deferred": True,
}
# Options that control how a request is built and are not fields of it.
NOT_SENT = {"api", "stream_usage", "clean_schemas", "use_encrypted_content"}


def test_the_values_have_every_option() -> None:
    """No option of ChatRequest is missing from the values."""
    assert VALUES.keys() | NOT_SENT == OPTIONS


def test_the_table_of_the_documentation(gateway: FakeServer) -> None:
    """The page states what each API does with each option, and no option is ignored."""
    page = PAGE.read_text()
    for line in build_table(gateway):
        assert line in page, line


def build_table(gateway: FakeServer) -> list[str]:
    """Return the lines of the table."""
    rows = (
        (f"`{option}`", *(describe_handling(gateway, dialect, option) for dialect in DIALECTS))
        for option in VALUES
    )
    return [f"| {' | '.join(row)} |" for row in rows]


def describe_handling(gateway: FakeServer, dialect: str, option: str) -> str:
    """Return how an API handles an option, as in the table.

    An option that is neither sent nor rejected, nor omitted with one warning, fails the test.
    """
    required = {"tools": (TOOL,)} if option in {"tool_choice", "parallel_tool_calls"} else {}
    body_without = send(gateway, dialect, option, required)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            body = send(gateway, dialect, option, {**required, option: VALUES[option]})
        except UsageError as error:
            return "rejected" if error.field == option else f"rejected as {error.field}"
    changed = [name for name in body if body[name] != body_without.get(name)]
    if option == "previous_response_id" and "store" in changed:
        changed.remove("store")
    if changed:
        assert not warned
        (name,) = changed
        subfields = list(body[name]) if isinstance(body[name], dict) else []
        return f"`{name}.{subfields[0]}`" if len(subfields) == 1 else f"`{name}`"
    if option == "stop":
        return "applied client-side"
    assert [f"{option}: not supported by" in str(warning.message) for warning in warned] == [
        True
    ], warned
    return "omitted, with a warning"


def send(gateway: FakeServer, dialect: str, option: str, options: dict[str, Any]) -> dict[str, Any]:
    """Send a request and return its body."""
    model = SUPPORTS_EFFORT if option == "reasoning_effort" else SUPPORTS_MOST
    question = Message("user", (TextPart("x"),))
    request = ChatRequest(model=model, messages=(question,), api=dialect, **options)  # type: ignore[arg-type]  # a table
    gateway.respond = lambda _request: json_reply(refused({"error": "seen"}), 400)
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0)
    chat_model = ChatModel(settings)
    with pytest.raises(BadRequestError, match="seen"):
        chat_model.generate(request)
    chat_model.client.close()
    body: dict[str, Any] = gateway.requests[-1].json
    return body
