"""Any message history of memories, tools and other providers is sent or rejected, in each API.

Both adapters convert the same conversation, and each API renders it. The tests check the request
body; nothing is sent.
"""

import json
import re
import warnings
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from langchain_xai_lowcode._input import to_messages as from_langchain
from llama_index_xai_lowcode._messages import to_messages as from_llama_index
from tests.cases import for_each
from xai_lowcode.chat.dialect_selection import DIALECTS, get_dialect
from xai_lowcode.chat.unsupported_parts import render_request
from xai_lowcode.errors import UsageError
from xai_lowcode.types import messages as core_messages
from xai_lowcode.types.requests import ChatRequest

Json = dict[str, Any]
PDF = "JVBERi0xLjcgeA=="
INNER_NAMES = re.compile(r"\b\w+Part\b")
CORE_CLASSES = [name for name in vars(core_messages) if name.endswith("Part")]


def render(api: str, messages: Any) -> Json:
    """Return the body of a request with a conversation, after a round trip through JSON."""
    convert: Any = from_llama_index if isinstance(messages[0], ChatMessage) else from_langchain
    request = ChatRequest(model="grok-4.7", messages=tuple(convert(messages)), api=api)
    body = render_request(get_dialect(api), request, stream=False)
    return dict(json.loads(json.dumps(body, allow_nan=False)))


def error_of(api: str, messages: Any) -> UsageError | None:
    """Return the error of a conversation that cannot be sent, or None."""
    try:
        render(api, messages)
    except UsageError as error:
        return error
    return None


def sent_messages(body: Json) -> list[Any]:
    messages: list[Any] = body.get("messages") or body["input"]
    return messages


# --- each type of content block ------------------------------------------------------------------

LANGCHAIN_BLOCKS: list[Json] = [
    {"type": "text", "text": "hi"},
    {"type": "input_text", "text": "hi"},
    {"type": "text-plain", "text": "hi"},
    {"type": "text-plain", "base64": "aGk=", "mime_type": "text/plain"},
    {"type": "image", "url": "https://x.example/a.png"},
    {"type": "image", "base64": "QUJD", "mime_type": "image/png"},
    {"type": "image", "file_id": "file_1"},
    {"type": "image"},
    {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
    {"type": "input_image", "file_id": "file_1"},
    {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"},
    {"type": "file", "url": "https://x.example/a.pdf"},
    {"type": "file", "file_id": "file_1"},
    {"type": "file", "name": "a.txt"},
    {"type": "input_file", "file_data": f"data:application/pdf;base64,{PDF}"},
    {"type": "document", "source": {"type": "text", "data": "hi"}},
    {"type": "document", "source": {"type": "url", "url": "https://x.example/a.pdf"}},
    {"type": "audio", "base64": "QUJD", "mime_type": "audio/wav"},
    {"type": "input_audio", "input_audio": {"data": "QUJD", "format": "wav"}},
    {"type": "video", "url": "https://x.example/a.mp4"},
    {"type": "reasoning", "reasoning": "hm"},
    {"type": "thinking", "thinking": "hm", "signature": "s"},
    {"type": "tool_call", "id": "c", "name": "f", "args": {}},
    {"type": "tool_use", "id": "c", "name": "f", "input": {}},
    {"type": "server_tool_call", "id": "s", "name": "web_search", "args": {}},
    {"type": "server_tool_result", "tool_call_id": "s", "status": "success"},
    {"type": "search_result", "source": "s", "title": "t", "content": []},
    {"type": "json", "json": {"a": 1}},
    {"type": "refusal", "refusal": "no"},
    {"type": "non_standard", "value": {"a": 1}},
]
LLAMA_INDEX_BLOCKS: list[Any] = [
    TextBlock(text="hi"),
    ImageBlock(url="https://x.example/a.png"),
    ImageBlock(image=b"??"),
    ImageBlock(),
    DocumentBlock(url="https://x.example/a.pdf"),
    DocumentBlock(data=b"%PDF-1.7 x", title="a.pdf"),
    DocumentBlock(data=b"hi", title="a.txt"),
    DocumentBlock(path="/nowhere/a.pdf"),
    AudioBlock(audio=b"a"),
    VideoBlock(video=b"a"),
    ThinkingBlock(content="hm"),
    ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={}),
    CitableBlock(title="T", source="s", content="c"),
    CitableBlock(title="T", source="s", content=[DocumentBlock(data=b"%PDF-1.7 x")]),
    CitationBlock(cited_content="c", source="s", title="T", additional_location_info={}),
    CachePoint.model_validate({"cache_control": {"type": "ephemeral"}}),
]


def langchain_conversation(role: str, block: Any) -> list[Any]:
    """Return a conversation of LangChain with a block in a message of this role."""
    call = {"name": "f", "args": {}, "id": "c"}
    match role:
        case "user":
            return [HumanMessage(["look", block])]
        case "system":
            return [SystemMessage(["look", block]), HumanMessage("hi")]
        case "tool":
            result = ToolMessage([block], tool_call_id="c")
            return [HumanMessage("hi"), AIMessage("", tool_calls=[call]), result]
        case _:
            return [HumanMessage("hi"), AIMessage(["look", block]), HumanMessage("so?")]


def llama_index_conversation(role: str, block: Any) -> list[Any]:
    """Return a conversation of LlamaIndex with a block in a message of this role."""
    question, look = ChatMessage("hi"), TextBlock(text="look")
    call = ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={})
    match role:
        case "user" | "system":
            return [ChatMessage(role=role, blocks=[look, block]), question]
        case "tool":
            result = ChatMessage(role=role, blocks=[block])
            result.additional_kwargs["tool_call_id"] = "c"
            return [question, ChatMessage(role="assistant", blocks=[call]), result]
        case _:
            return [question, ChatMessage(role=role, blocks=[look, block]), question]


def kind_of(block: Any) -> str:
    """Return the class of a block, or of the one that it contains."""
    if isinstance(block, CitableBlock):
        (block,) = block.content
    return type(block).__name__


KINDS = [
    *((langchain_conversation, block, block["type"]) for block in LANGCHAIN_BLOCKS),
    *((llama_index_conversation, block, kind_of(block)) for block in LLAMA_INDEX_BLOCKS),
]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("api", DIALECTS)
@pytest.mark.parametrize("role", ["user", "system", "assistant", "tool"])
@for_each(("conversation", "block", "kind"), KINDS)
def test_a_block_is_sent_or_rejected_by_its_name(
    conversation: Callable[[str, Any], Any], block: Any, kind: str, role: str, api: str
) -> None:
    """The body is JSON without empty content, or an error names the block that the caller wrote.

    Blocks of responses and of tool results, which the user cannot change, are never rejected.
    """
    error = error_of(api, conversation(role, block))
    if error is None:
        body = render(api, conversation(role, block))
        assert not INNER_NAMES.search(json.dumps(body))
        assert all(m.get("content", m.get("output", True)) != [] for m in sent_messages(body))
        return
    assert role in {"user", "system"}
    assert re.search(rf"\b{re.escape(kind)}\b", str(error)), str(error)
    assert not any(name in str(error) for name in CORE_CLASSES)
    assert "messages" in (error.field or "")


@pytest.mark.parametrize("api", DIALECTS)
@pytest.mark.parametrize(
    ("conversation", "block"),
    [
        (langchain_conversation, {"type": "search_result", "title": "t", "content": ["é"]}),
        (langchain_conversation, {"type": "file", "name": "é"}),
        (llama_index_conversation, AudioBlock(audio=b"a")),
        (llama_index_conversation, ToolCallBlock(tool_name="é", tool_kwargs={})),
    ],
)
def test_blocks_that_no_tool_result_can_have_are_sent_as_json(
    conversation: Any, block: Any, api: str
) -> None:
    """Data of a tool that resembles a content block is sent as JSON text."""
    data = block if isinstance(block, dict) else json.loads(block.model_dump_json())
    result = sent_messages(render(api, conversation("tool", block)))[-1]
    if api == "messages":
        (result,) = result["content"]
    assert json.loads(result.get("output") or result["content"]) == data


# --- documents -----------------------------------------------------------------------------------

LANGCHAIN_PDF = {"type": "file", "base64": PDF, "mime_type": "application/pdf", "filename": "a.pdf"}
LLAMA_INDEX_PDF = DocumentBlock(data=b"%PDF-1.7 x", title="a.pdf")
PDFS = [
    pytest.param(langchain_conversation, LANGCHAIN_PDF, id="langchain"),
    pytest.param(llama_index_conversation, LLAMA_INDEX_PDF, id="llama_index"),
]


@pytest.mark.parametrize(("conversation", "block"), PDFS)
def test_a_document_of_a_tool_is_in_a_user_message(conversation: Any, block: Any) -> None:
    """The tool result names the document, and the next user message contains it."""
    *_, result, message = sent_messages(render("responses", conversation("tool", block)))
    assert result["type"] == "function_call_output"
    assert "a.pdf" in result["output"]
    assert message["role"] == "user"
    (file,) = message["content"]
    assert file["type"] == "input_file"
    assert file["filename"] == "a.pdf"
    assert file["file_data"].endswith(PDF)


@pytest.mark.parametrize("api", ["chat_completions", "messages"])
@pytest.mark.parametrize(("conversation", "block"), PDFS)
def test_a_document_of_an_earlier_turn_becomes_a_note(
    conversation: Any, block: Any, api: str
) -> None:
    """An API without documents rejects a new one, and sends a note instead of an earlier one."""
    new = conversation("user", block)
    with pytest.raises(UsageError, match=re.escape("messages[0]: a")) as error:
        render(api, new)
    assert "responses" in (error.value.hint or "")
    assistant, question = conversation("assistant", block)[1:]
    for history in ([*new, assistant, question], conversation("tool", block)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sent = json.dumps(render(api, history))
        assert "a.pdf" in sent
        assert PDF not in sent
        assert any("A note is sent instead." in str(w.message) for w in caught)


# --- tool calls and results ----------------------------------------------------------------------


def langchain_history(turns: list[Any]) -> list[Any]:
    """Return messages of LangChain. A turn is a text, a list of call ids, or an id and a result."""
    messages: list[Any] = []
    for turn in turns:
        if isinstance(turn, str):
            messages.append(HumanMessage(turn))
        elif isinstance(turn, list):
            calls = [{"name": f"f{i}", "args": {}, "id": id_} for i, id_ in enumerate(turn)]
            messages.append(AIMessage("", tool_calls=calls))
        else:
            messages.append(ToolMessage(turn[1], tool_call_id=turn[0]))
    return messages


def llama_index_history(turns: list[Any]) -> list[Any]:
    """Return the same messages of LlamaIndex."""
    messages: list[Any] = []
    for turn in turns:
        if isinstance(turn, str):
            messages.append(ChatMessage(turn))
        elif isinstance(turn, list):
            calls = [
                ToolCallBlock(tool_call_id=id_, tool_name=f"f{i}", tool_kwargs={})
                for i, id_ in enumerate(turn)
            ]
            messages.append(ChatMessage(role="assistant", blocks=calls))
        else:
            kwargs = {"tool_call_id": turn[0]}
            messages.append(ChatMessage(turn[1], role="tool", additional_kwargs=kwargs))
    return messages


def outline(api: str, body: Json) -> list[Any]:
    """Return texts of the user, names of tool calls, and results with the name of their call."""
    outlined: list[Any] = []
    names: dict[str, str] = {}
    for message in sent_messages(body):
        if message.get("type") == "function_call":
            calls = [(message["call_id"], message["name"])]
        elif api == "messages" and message["role"] == "assistant":
            calls = [(block["id"], block["name"]) for block in message["content"]]
        else:
            calls = [(c["id"], c["function"]["name"]) for c in message.get("tool_calls") or ()]
        for call_id, name in calls:
            assert call_id
            assert call_id not in names
            names[call_id] = name
            outlined.append(name)
        if message.get("type") == "function_call_output":
            outlined.append((names.get(message["call_id"], "?"), message["output"]))
        elif message.get("role") == "tool":
            outlined.append((names.get(message["tool_call_id"], "?"), message["content"]))
        elif api == "messages" and isinstance(message["content"], list) and not calls:
            outlined += [
                (names.get(block["tool_use_id"], "?"), block["content"])
                for block in message["content"]
            ]
        elif not calls and message.get("role") == "user":
            outlined.append(message["content"])
    return outlined


HISTORIES: dict[str, tuple[list[Any], list[Any]]] = {
    "in order": (
        ["q", ["a", "b"], ("a", "1"), ("b", "2"), "so?"],
        ["q", "f0", "f1", ("f0", "1"), ("f1", "2"), "so?"],
    ),
    "in another order": (
        ["q", ["a", "b"], ("b", "2"), ("a", "1")],
        ["q", "f0", "f1", ("f1", "2"), ("f0", "1")],
    ),
    "after a message of the user": (
        ["q", ["a"], "wait", ("a", "1"), "so?"],
        ["q", "f0", ("f0", "1"), "wait", "so?"],
    ),
    "equal ids": (
        ["q", ["a", "a"], ("a", "1"), ("a", "2")],
        ["q", "f0", "f1", ("f0", "1"), ("f1", "2")],
    ),
    "equal ids in two turns": (
        ["q", ["a"], ("a", "1"), "q", ["a"], ("a", "2")],
        ["q", "f0", ("f0", "1"), "q", "f0", ("f0", "2")],
    ),
    "empty ids": (
        ["q", ["", ""], ("", "1"), ("", "2")],
        ["q", "f0", "f1", ("f0", "1"), ("f1", "2")],
    ),
    "never answered": (["q", ["a", "b"], ("b", "2"), "so?"], ["q", "f1", ("f1", "2"), "so?"]),
    "answered before a later call": (
        ["q", ["a"], "no", ["a"], ("a", "1"), "so?"],
        ["q", "no", "f0", ("f0", "1"), "so?"],
    ),
    "the call was forgotten": (["q", ("a", "1"), "so?"], ["q", "1", "so?"]),
    "the call was summarized": ([("a", "1"), ["b"], ("b", "2")], ["1", "f0", ("f0", "2")]),
    "one of several calls was forgotten": (
        ["q", ["b"], ("a", "1"), ("b", "2"), "so?"],
        ["q", "f0", ("f0", "2"), "1", "so?"],
    ),
    "answered twice": (
        ["q", ["a"], ("a", "1"), ("a", "2"), "so?"],
        ["q", "f0", ("f0", "1"), "2", "so?"],
    ),
    "answered before its call": (
        ["q", ("a", "1"), ["a"], ("a", "2")],
        ["q", "1", "f0", ("f0", "2")],
    ),
    "neither id nor call": (["q", ("", "1"), "so?"], ["q", "1", "so?"]),
}


@pytest.mark.parametrize("api", DIALECTS)
@pytest.mark.parametrize("history", [langchain_history, llama_index_history])
@pytest.mark.parametrize("name", HISTORIES)
def test_results_follow_their_calls(name: str, history: Any, api: str) -> None:
    """Each tool call has a unique id, and its result follows it directly, in each API."""
    turns, expected = HISTORIES[name]
    assert outline(api, render(api, history(turns))) == expected


@pytest.mark.parametrize("api", DIALECTS)
@pytest.mark.parametrize("content", ["boom", ["boom"], [LANGCHAIN_PDF]])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_failed_tool_is_marked_where_the_api_has_a_field_for_it(content: Any, api: str) -> None:
    """That is Messages; the other APIs get the content only, as of a tool that succeeded."""
    succeeded, failed = (
        render(
            api,
            [
                *langchain_history(["q", [""]]),
                ToolMessage(content, tool_call_id="", status=status),
                HumanMessage("so?"),
            ],
        )
        for status in ("success", "error")
    )
    if api == "messages":
        (result,) = failed["messages"][2]["content"]
        assert result.pop("is_error") is True
    assert failed == succeeded


@pytest.mark.parametrize("history", [langchain_history, llama_index_history])
def test_a_stored_response_has_the_call_of_a_result(history: Any) -> None:
    """A result of a call that only a stored response has is sent as the result of that call."""
    convert: Any = from_langchain if history is langchain_history else from_llama_index
    request = ChatRequest(
        model="grok-4.7",
        messages=tuple(convert(history([("a", "1"), "so?"]))),
        api="responses",
        previous_response_id="resp_1",
    )
    body = render_request(get_dialect("responses"), request, stream=False)
    assert outline("responses", body) == [("?", "1"), "so?"]


@pytest.mark.parametrize("history", [langchain_history, llama_index_history])
def test_documents_of_results_follow_a_stored_response(history: Any) -> None:
    """All messages after a stored response are sent, also a user message before the result."""
    turns = ["q", ["a"], "wait", ("a", "1")]
    messages = history(turns)
    convert: Any = from_langchain if history is langchain_history else from_llama_index
    *others, result = convert(messages)
    (part,) = result.parts
    file = core_messages.FilePart("https://x.example/a.pdf")
    result = core_messages.Message(
        "tool", (core_messages.ToolResultPart(part.call_id, (*part.content, file)),)
    )
    request = ChatRequest(
        model="grok-4.7",
        messages=(*others, result),
        api="responses",
        previous_response_id="resp_1",
        stored_messages=2,
    )
    output, document, wait = sent_messages(
        render_request(get_dialect("responses"), request, stream=False)
    )
    assert output["type"] == "function_call_output"
    assert document["content"] == [{"type": "input_file", "file_url": "https://x.example/a.pdf"}]
    assert wait["content"] == "wait"
