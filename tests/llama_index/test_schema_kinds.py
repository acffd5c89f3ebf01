"""Schemas of classes and tools are sent with their meaning; refusals are reported.

``jsonschema`` checks that the sent schema accepts what pydantic accepts.
"""

from typing import Any

import pytest
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, RootModel

from llama_index_xai_lowcode import StructuredOutputError, XAILowCode
from tests.core.refused_messages import REFUSAL, create_clients, refuse
from tests.schema_kinds import (
    COMPANY,
    PART,
    Closed,
    Company,
    Part,
    Shade,
    Unlimited,
    check_meaning,
    get_sent_schema,
)
from xai_lowcode.errors import UsageError

PROMPT = PromptTemplate("Hello")
APIS = ["chat_completions", "responses", "messages"]


class Numbers(RootModel[dict[str, int]]):
    """A map."""


KINDS: dict[str, tuple[type[BaseModel], Any]] = {
    "recursive": (Part, PART),
    "shared": (Company, COMPANY),
    "closed": (Closed, {"size": 2}),
    "infinite defaults": (Unlimited, {"most": 1.5, "ranges": [{"least": 0.5}]}),
    "map": (Numbers, {"a": 1}),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("by_schema", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_classes_keep_their_meaning(
    gateway: Any, model: Any, name: str, by_schema: bool, api: str
) -> None:
    """The schema of structured output is sent with its meaning, by each method and API."""
    kind, instance = KINDS[name]
    llm = model(api=api, should_use_structured_outputs=by_schema)
    assert isinstance(llm.structured_predict(kind, PROMPT), kind)
    check_meaning(get_sent_schema(gateway.requests[-1].body), kind, instance)


@pytest.mark.parametrize("name", KINDS)
def test_tools_keep_their_meaning(llm: Any, name: str) -> None:
    """The parameters of a tool have the meaning of its class, the root's keywords included."""
    kind, instance = KINDS[name]
    tool = FunctionTool.from_defaults(
        lambda **_: "", name="look", description="Look.", fn_schema=kind
    )
    (rendered,) = llm._prepare_chat_with_tools([tool], "Hello")["tools"]
    check_meaning(rendered["function"]["parameters"], kind, instance)


@pytest.mark.parametrize("method", ["structured_predict", "stream_structured_predict"])
@pytest.mark.parametrize("kind", [Shade, list[Part], Part | Closed, int, dict[str, int]])
def test_other_types_are_rejected(
    sync_async: Any, gateway: Any, llm: Any, kind: Any, method: str
) -> None:
    """The error names the type, and nothing is sent."""
    call = sync_async.stream if method.startswith("stream") else sync_async.call
    with pytest.raises(UsageError, match=r"output_cls: .* is not a pydantic class"):
        call(llm, method, kind, PROMPT)
    assert not gateway.requests


@pytest.mark.parametrize("method", ["structured_predict", "stream_structured_predict"])
@pytest.mark.parametrize("by_schema", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_refusals_are_reported(sync_async: Any, api: str, by_schema: bool, method: str) -> None:
    """A refusal raises an error with its text, streamed or not."""
    llm = XAILowCode(api=api, should_use_structured_outputs=by_schema, **create_clients(refuse))
    call = sync_async.stream if method.startswith("stream") else sync_async.call
    with pytest.raises(StructuredOutputError, match=f"refused: {REFUSAL}"):
        call(llm, method, Closed, PROMPT)
