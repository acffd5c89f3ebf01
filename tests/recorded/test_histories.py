"""Any response can be a message of the next request, to xAI and to other providers.

Both adapters parse each recorded body, plain and streamed, and send it through each API. The
payload builders of other providers' classes run if these are installed.
"""

import json
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.core.wire import WIRE
from tests.recorded.bodies import Case, cases
from tests.recorded.laws import bodies_of_law, for_law

pytest.importorskip("langchain_core")
pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage, HumanMessage, ToolMessage, message_chunk_to_message
from llama_index.core.base.llms.types import ChatMessage, ThinkingBlock, ToolCallBlock

import langchain_xai_lowcode.chat_models  # noqa: F401 - registers the translator of content blocks
from langchain_xai_lowcode._input import to_messages as from_langchain
from llama_index_xai_lowcode._messages import to_messages as from_llama_index
from tests.recorded.parsing import parse
from tests.recorded.rendering import plain_of
from tests.recorded.test_counts import langchain_messages, llama_index_responses
from xai_lowcode.chat.dialect_selection import DIALECTS, get_dialect
from xai_lowcode.chat.unsupported_parts import render_request
from xai_lowcode.types.messages import Message, ServerToolPart
from xai_lowcode.types.requests import ChatRequest

Json = dict[str, Any]
SCHEMAS = {
    "chat_completions": "ChatRequest",
    "responses": "ModelRequest",
    "messages": "MessageRequest",
}


@cache
def schema_of(dialect: str) -> Draft202012Validator:
    """Return the schema of an API's requests in xAI's OpenAPI document.

    Its alternatives overlap (a message of the model is also a message of the input), so that one of
    them must be valid, not exactly one.
    """
    text = (WIRE.parent / "openapi.json").read_text(encoding="utf-8")
    document = json.loads(text.replace('"oneOf"', '"anyOf"'))
    reference = {"$ref": f"#/components/schemas/{SCHEMAS[dialect]}"}
    return Draft202012Validator({**reference, "components": document["components"]})


def bodies_of(messages: list[Message]) -> dict[str, Json]:
    """Return the request with these messages, by API."""
    bodies = {}
    for name in DIALECTS:
        request = ChatRequest(model="grok-4.7", messages=tuple(messages), api=name)
        with warnings.catch_warnings():
            # An image of a response cannot be sent through every API.
            warnings.simplefilter("ignore", UserWarning)
            body = render_request(get_dialect(name), request, stream=False)
        bodies[name] = json.loads(json.dumps(body, allow_nan=False))
    return bodies


def conversations(case: Case) -> Iterator[tuple[list[Message], Any, int]]:
    """Yield the response in a conversation, its message, and the number of tool results."""
    for answer in langchain_messages(case):
        calls = [*answer.tool_calls, *answer.invalid_tool_calls]
        results = [ToolMessage("Sunny", tool_call_id=call["id"] or "") for call in calls]
        messages = from_langchain([HumanMessage("Hi"), answer, *results, HumanMessage("And?")])
        reasoning = answer.additional_kwargs.get("reasoning_content", "")
        yield messages, (answer.text, reasoning), len(results)
    for response in llama_index_responses(case):
        message = response.message
        results = [
            ChatMessage("Sunny", role="tool", additional_kwargs={"tool_call_id": b.tool_call_id})
            for b in message.blocks
            if isinstance(b, ToolCallBlock)
        ]
        messages = list(
            from_llama_index([ChatMessage("Hi"), message, *results, ChatMessage("And?")])
        )
        reasoning = "".join(
            block.content or "" for block in message.blocks if isinstance(block, ThinkingBlock)
        )
        yield messages, (message.content or "", reasoning), len(results)


def described(body: Json) -> Json:
    """Return the body without generated images, which are newer than the OpenAPI document."""
    return {
        key: [item for item in value if item.get("type") != "image_generation_call"]
        if key == "input"
        else value
        for key, value in body.items()
    }


@for_law("folded")
def test_the_next_request_is_valid(case: Case) -> None:
    """A response, its tool results and a prompt are a request that is valid by xAI's schema."""
    for messages, (text, reasoning), results in conversations(case):
        bodies = bodies_of(messages)
        for name, body in bodies.items():
            errors = [error.message[:300] for error in schema_of(name).iter_errors(described(body))]
            assert not errors, name
            sent = json.dumps(body, ensure_ascii=False)
            assert json.dumps(text.strip(), ensure_ascii=False)[1:-1] in sent
            assert sent.count("Sunny") == results
        # The only API that accepts reasoning without its output item.
        sent_reasoning = [
            message.get("reasoning_content", "")
            for message in bodies["chat_completions"]["messages"]
        ]
        assert "".join(sent_reasoning) == (reasoning if text or results else "")


# --- messages sent to other providers ------------------------------------------------------------


@for_law("folded")
def test_plain_folded_and_stored_messages_are_equal(case: Case) -> None:
    """Plain, accumulated and stored messages have equal content, content blocks and items."""
    plain, folded = langchain_messages(case)
    stored = AIMessage.model_validate_json(message_chunk_to_message(folded).model_dump_json())
    assert isinstance(plain.content, str)
    for other in (folded, stored):
        assert other.content == plain.content
        assert other.content_blocks == plain.content_blocks
        assert other.additional_kwargs == plain.additional_kwargs
        assert from_langchain([other]) == from_langchain([plain])
    blocks: list[Any] = plain.content_blocks
    assert not any(block.keys() & {"index", "position"} for block in blocks)
    response = parse(case.api, plain_of(case))
    used = [part for part in response.choices[0].parts if isinstance(part, ServerToolPart)]
    assert [b["id"] for b in blocks if b["type"] == "server_tool_call"] == [p.id for p in used]
    cited = [citation for block in blocks for citation in block.get("annotations", ())]
    assert [citation["url"] for citation in cited] == [c.url for c in response.citations]
    reasoning = [block["reasoning"] for block in blocks if block["type"] == "reasoning"]
    assert "".join(reasoning) == response.choices[0].reasoning


FOREIGN = {
    "langchain_openai": ("ChatOpenAI", {"model": "gpt-4o", "api_key": "none"}),
    "langchain_openai responses": (
        "ChatOpenAI",
        {"model": "gpt-4o", "api_key": "none", "use_responses_api": True},
    ),
    "langchain_anthropic": ("ChatAnthropic", {"model": "claude-sonnet-4", "api_key": "none"}),
    "langchain_xai": ("ChatXAI", {"model": "grok-4", "api_key": "none"}),
}
KNOWN_CONTENT = frozenset({"text", "output_text", "input_text", "tool_use", "tool_result"})


def _content_types(value: Any) -> set[str]:
    """Return the types of all content blocks of a payload's messages."""
    types = set()
    for message in value:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        types |= {block["type"] for block in blocks if isinstance(block, dict)}
    return types


@pytest.mark.parametrize("name", FOREIGN)
def test_other_providers_payloads_have_known_content_only(name: str) -> None:
    """The payload of another provider has text and tool calls, and no unknown content block."""
    package = pytest.importorskip(name.split(maxsplit=1)[0])
    class_name, arguments = FOREIGN[name]
    model = getattr(package, class_name)(**arguments)
    for case in bodies_of_law("folded"):
        for answer in langchain_messages(case):
            results = [ToolMessage("Sunny", tool_call_id=c["id"]) for c in answer.tool_calls]
            messages = [HumanMessage("Hi"), answer, *results, HumanMessage("And?")]
            payload = json.loads(json.dumps(model._get_request_payload(messages)))
            assert _content_types(payload.get("messages") or payload["input"]) <= KNOWN_CONTENT
            assert "server_tool" not in json.dumps(payload)


# --- messages of other providers -----------------------------------------------------------------

FOREIGN_REASONING: dict[str, Any] = {
    "thinking": AIMessage(
        [{"type": "thinking", "thinking": "secret", "signature": "s"}, "Yes."],
        response_metadata={"model_provider": "anthropic"},
    ),
    "v1 content": AIMessage(
        [{"type": "reasoning", "reasoning": "secret"}, {"type": "text", "text": "Yes."}],
        response_metadata={"model_provider": "openai", "output_version": "v1"},
    ),
    "reasoning item": AIMessage(
        [{"type": "reasoning", "summary": [{"text": "secret"}]}, {"type": "text", "text": "Yes."}],
        response_metadata={"model_provider": "openai"},
    ),
    "reasoning_content": AIMessage(
        "Yes.",
        additional_kwargs={"reasoning_content": "secret"},
        response_metadata={"model_provider": "deepseek"},
    ),
    "unknown origin": AIMessage("Yes.", additional_kwargs={"reasoning_content": "secret"}),
    "thinking block": ChatMessage(
        role="assistant", blocks=[ThinkingBlock(content="secret"), *ChatMessage("Yes.").blocks]
    ),
}


@pytest.mark.parametrize("name", FOREIGN_REASONING)
def test_reasoning_of_other_providers_is_not_sent(name: str) -> None:
    """The text of another provider's message is sent; its reasoning and its items are not."""
    answer = FOREIGN_REASONING[name]
    if isinstance(answer, ChatMessage):
        messages = list(from_llama_index([ChatMessage("Hi"), answer, ChatMessage("And?")]))
    else:
        messages = from_langchain([HumanMessage("Hi"), answer, HumanMessage("And?")])
    for body in bodies_of(messages).values():
        assert "secret" not in json.dumps(body)
        assert "Yes." in json.dumps(body)
