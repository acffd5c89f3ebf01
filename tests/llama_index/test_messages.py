"""Messages: each block is converted, or raises an error."""

import base64
import copy
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from llama_index_xai_lowcode._messages import from_parts, to_messages
from llama_index_xai_lowcode.images import GeneratedImageBlock, _to_blocks
from tests.llama_index.sent import APIS, get_items
from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.types.images import Image, ImageBatch
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
OURS = {"model_provider": "xai-lowcode"}
DATA_URL = "data:image/png;base64," + base64.b64encode(PNG).decode()


def parts(*blocks: Any, role: str = "user") -> tuple[Any, ...]:
    (message,) = to_messages([ChatMessage(role=role, blocks=list(blocks))])
    return message.parts


# --- any message ---------------------------------------------------------------------------------


def one_text(parts: list[Any]) -> tuple[Any, ...]:
    """Return the parts with the first text only: a response has one text, which is not empty."""
    first = next((part for part in parts if isinstance(part, TextPart) and part.text), None)
    return tuple(part for part in parts if part is first or not isinstance(part, TextPart))


texts = st.builds(TextPart, st.text())
calls = st.builds(
    ToolCallPart, st.text(), st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True), st.text()
)
reasoning = st.builds(ReasoningPart, st.text(min_size=1))
details = st.sampled_from([None, "low", "high"])
images = st.builds(
    ImagePart, url=st.sampled_from([DATA_URL, "https://x.ai/a.png?b=c"]), detail=details
)
files = st.builds(
    FilePart, url=st.just("https://x.ai/a.pdf"), filename=st.sampled_from([None, "a.pdf"])
) | st.just(FilePart(data="JVBERi0xLjcgeA==", mime_type="application/pdf", filename="a.pdf"))
user_parts = st.lists(texts | images | files, max_size=4).map(tuple)
messages = st.one_of(
    st.builds(Message, st.just("system"), st.lists(texts, max_size=3).map(tuple)),
    st.builds(Message, st.just("user"), user_parts, st.none() | st.text(min_size=1)),
    st.builds(Message, st.just("assistant"), st.lists(texts | reasoning | calls).map(one_text)),
    st.builds(
        Message,
        st.just("tool"),
        st.builds(ToolResultPart, st.text(min_size=1), user_parts).map(lambda part: (part,)),
    ),
)


def to_block(part: Any) -> Any:
    match part:
        case TextPart():
            return TextBlock(text=part.text)
        case ReasoningPart():
            return ThinkingBlock(content=part.text, additional_information=OURS)
        case ToolCallPart():
            return ToolCallBlock(
                tool_call_id=part.id, tool_name=part.name, tool_kwargs=part.arguments
            )
        case ImagePart(url=url) if url == DATA_URL:
            return ImageBlock(image=PNG, image_mimetype="image/png", detail=part.detail)
        case ImagePart():
            return ImageBlock(url=part.url, detail=part.detail)
        case FilePart(data=data):
            return DocumentBlock(
                url=part.url,
                data=None if data is None else base64.b64decode(data),
                title=part.filename,
                document_mimetype=part.mime_type,
            )


@given(messages)
def test_conversion(message: Message) -> None:
    """Blocks and ``additional_kwargs`` are converted to the corresponding parts."""
    kwargs: dict[str, Any] = {"name": message.name} if message.name else {}
    content = message.parts
    if message.role == "tool":
        (result,) = message.parts
        kwargs["tool_call_id"], content = result.call_id, result.content
    converted = ChatMessage(
        role=message.role, blocks=[to_block(part) for part in content], additional_kwargs=kwargs
    )
    assert to_messages([converted]) == (message,)


# --- each type of block --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (TextBlock(text="a"), (TextPart("a"),)),
        (
            ImageBlock(url="https://x.ai/a.png", detail="low"),
            (ImagePart("https://x.ai/a.png", detail="low"),),
        ),
        (ImageBlock(image=PNG), (ImagePart(DATA_URL),)),
        (ImageBlock(image=base64.b64encode(PNG)), (ImagePart(DATA_URL),)),
        (ImageBlock(url=DATA_URL), (ImagePart(DATA_URL),)),
        (DocumentBlock(url="https://x.ai/a.pdf"), (FilePart(url="https://x.ai/a.pdf"),)),
        (DocumentBlock(data=b"a,b\n1,2", title="t.csv"), (TextPart("t.csv\n\na,b\n1,2"),)),
        (DocumentBlock(data=b"plain"), (TextPart("plain"),)),
        (DocumentBlock(data=b"caf\xe9", document_mimetype="text/plain"), (TextPart("café"),)),
        (
            DocumentBlock(data=b"%PDF-1.7 x", title="a.pdf"),
            (FilePart(data="JVBERi0xLjcgeA==", mime_type="application/pdf", filename="a.pdf"),),
        ),
        (ThinkingBlock(content="hm", additional_information=OURS), (ReasoningPart("hm"),)),
        (ThinkingBlock(content="hm"), ()),
        (ThinkingBlock(content="hm", additional_information={"signature": "s"}), ()),
        (ThinkingBlock(num_tokens=3), ()),
        (
            ToolCallBlock(tool_call_id="a", tool_name="f", tool_kwargs={"é": 1}),
            (ToolCallPart("a", "f", '{"é":1}'),),
        ),
        (
            ToolCallBlock(tool_call_id="a", tool_name="f[int]", tool_kwargs="{ }"),
            (ToolCallPart("a", "f_int_", "{ }"),),
        ),
        (CitableBlock(title="T", source="s", content="c"), (TextPart("T (s)"), TextPart("c"))),
        (
            CitationBlock(cited_content="c", source="s", title="T", additional_location_info={}),
            (),
        ),
        (CachePoint(cache_control=CacheControl(type="ephemeral")), ()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_blocks(block: Any, expected: tuple[Any, ...]) -> None:
    """Each type of block is converted, or skipped."""
    role = "assistant" if isinstance(block, ThinkingBlock | ToolCallBlock) else "user"
    assert parts(block, role=role) == expected


@pytest.mark.parametrize("block", [AudioBlock(audio=b"a"), VideoBlock(video=b"a")])
def test_unsupported_blocks(block: Any) -> None:
    """Unsupported blocks raise an error with their type and index, and nothing is sent."""
    with pytest.raises(UsageError, match=rf"messages\[0\]: .*{type(block).__name__}"):
        parts(block)


def test_unknown_blocks() -> None:
    """An unknown type of block raises an error."""

    class NewBlock(TextBlock):
        pass

    message = ChatMessage.model_construct(role=MessageRole.USER, blocks=[NewBlock(text="a")])
    message.additional_kwargs = {}
    with pytest.raises(UsageError, match="NewBlock"):
        to_messages([message])


@pytest.mark.parametrize("name", ["a.png", "without-suffix"])
def test_images_from_files(tmp_path: Path, name: str) -> None:
    """The media type of an image is detected from the file's content."""
    (tmp_path / name).write_bytes(PNG)
    assert parts(ImageBlock(path=tmp_path / name)) == (ImagePart(DATA_URL),)


@pytest.mark.skipif(
    "IOBase" not in str(ImageBlock.model_fields["image"].annotation),
    reason="older versions of LlamaIndex take no file objects",
)
def test_file_objects_can_be_sent_twice() -> None:
    """An image in a file object is the same in the next request."""
    block = ImageBlock(image=io.BytesIO(PNG))
    assert parts(block) == parts(block) == (ImagePart(DATA_URL),)


def test_documents_from_files(tmp_path: Path) -> None:
    """A text file is sent as text."""
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert parts(DocumentBlock(path=tmp_path / "a.json")) == (TextPart('{"a": 1}'),)


@pytest.mark.parametrize("block", [ImageBlock(), DocumentBlock(), ImageBlock(image=b"??")])
def test_blocks_without_data(block: Any) -> None:
    """A block without data, or of an unknown media type, raises an error with its index."""
    with pytest.raises(UsageError, match=r"messages\[0\]"):
        parts(block)


def test_pdf_data_selects_the_responses_api(model: Any, gateway: Any, sync_async: Any) -> None:
    """Chat Completions rejects document data if it is set explicitly; else Responses is used."""
    message = ChatMessage(blocks=[DocumentBlock(data=b"%PDF-1.7 x")])
    with pytest.raises(UsageError, match="URL"):
        sync_async.call(model(api="chat_completions"), "chat", [message])
    assert not gateway.requests
    assert "1 file" in sync_async.call(model(), "chat", [message]).message.content
    assert gateway.requests[-1].path.endswith("/v1/responses")


# --- roles and older messages --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "expected_role"),
    [
        (MessageRole.SYSTEM, "system"),
        (MessageRole.DEVELOPER, "system"),
        (MessageRole.USER, "user"),
        (MessageRole.ASSISTANT, "assistant"),
        (MessageRole.CHATBOT, "assistant"),
        (MessageRole.MODEL, "assistant"),
    ],
)
def test_roles(role: MessageRole, expected_role: str) -> None:
    """Each role is converted."""
    (message,) = to_messages([ChatMessage("a", role=role, additional_kwargs={"name": "n"})])
    assert message == Message(expected_role, (TextPart("a"),), "n" if role == "user" else None)  # type: ignore[arg-type]  # the table holds roles


@pytest.mark.parametrize("role", [MessageRole.TOOL, MessageRole.FUNCTION])
def test_tool_results(role: MessageRole) -> None:
    """A tool result with a call id is a tool message, also if it is empty."""
    given = [
        ChatMessage("r", role=role, additional_kwargs={"tool_call_id": "a"}),
        ChatMessage(role=role, additional_kwargs={"tool_call_id": "b"}),
        ChatMessage("r", role=role),
    ]
    assert to_messages(given) == (
        Message("tool", (ToolResultPart("a", (TextPart("r"),)),)),
        Message("tool", (ToolResultPart("b", ()),)),
        Message("tool", (ToolResultPart("", (TextPart("r"),)),)),
    )


PLAIN_CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SDK_CALL = SimpleNamespace(id="a", function=SimpleNamespace(name="f", arguments="{}"))


@pytest.mark.parametrize("call", [PLAIN_CALL, SDK_CALL])
def test_older_calls(call: Any) -> None:
    """Tool calls in ``additional_kwargs`` are converted, as dicts and as SDK objects."""
    message = ChatMessage("", role="assistant", additional_kwargs={"tool_calls": [call]})
    (expected_role,) = to_messages([message])
    assert expected_role.parts == (ToolCallPart("a", "f", "{}"),)


def test_blocks_precede_older_calls() -> None:
    """A message with both formats has each tool call once."""
    block = ToolCallBlock(tool_call_id="a", tool_name="f", tool_kwargs="{}")
    message = ChatMessage(
        role="assistant", blocks=[block], additional_kwargs={"tool_calls": [PLAIN_CALL]}
    )
    (expected_role,) = to_messages([message])
    assert expected_role.parts == (ToolCallPart("a", "f", "{}"),)


def test_history_is_not_changed(sync_async: Any, each_llm: Any, gateway: Any) -> None:
    """The caller's messages are not changed."""
    history = [
        ChatMessage("s", role="system"),
        ChatMessage(blocks=[TextBlock(text="look"), ImageBlock(image=PNG)]),
        ChatMessage(role="assistant", additional_kwargs={"tool_calls": [PLAIN_CALL]}),
        ChatMessage("r", role="tool", additional_kwargs={"tool_call_id": "a"}),
        ChatMessage("so?"),
    ]
    before = copy.deepcopy(history)
    sync_async.call(each_llm, "chat", history)
    sync_async.stream(each_llm, "stream_chat_with_tools", [], "and?", chat_history=history)
    assert history == before
    sent = [("system", "s"), ("user", "look"), ("tool_call", "f"), ("tool", "r"), ("user", "so?")]
    first, second = (get_items(request.body, reasoning=True) for request in gateway.requests)
    assert (first, second) == (sent, [*sent, ("user", "and?")])


@pytest.mark.parametrize("name", ["f", "calls"])
def test_calls_without_text_in_chat_completions(model: Any, gateway: Any, name: str) -> None:
    """An assistant message without text has the content ``""``, and a result has no name."""
    call = {**PLAIN_CALL, "function": {"name": name, "arguments": "{}"}}
    history = [
        ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}),
        ChatMessage("r", role="tool", additional_kwargs={"tool_call_id": "a"}),
    ]
    model(api="chat_completions").chat(history)
    sent_message, result = gateway.requests[-1].body["messages"]
    assert sent_message == {"role": "assistant", "content": "", "tool_calls": [call]}
    assert result == {"role": "tool", "tool_call_id": "a", "content": "r"}


@pytest.mark.parametrize("api", APIS)
def test_a_response_can_be_sent_back(sync_async: Any, model: Any, gateway: Any, api: str) -> None:
    """Text and reasoning of a response are sent back unchanged."""
    llm = model("grok-3-mini", api=api)
    first = sync_async.call(llm, "chat", [ChatMessage("Hi")]).message
    sync_async.call(llm, "chat", [ChatMessage("Hi"), first, ChatMessage("And?")])
    thinking, text = first.blocks
    assert get_items(gateway.requests[-1].body, reasoning=True) == [
        ("user", "Hi"),
        ("reasoning", thinking.content),
        ("assistant", text.text),
        ("user", "And?"),
    ]


@given(st.binary(min_size=1, max_size=60))
def test_image_data_is_stored_as_llama_index_stores_it(content: bytes) -> None:
    """A generated image, and one in a message, equal blocks that were made from the bytes."""
    data = base64.b64encode(content).decode()
    (block,) = from_parts([ImagePart(f"data:image/png;base64,{data}", detail="low")])
    assert block == ImageBlock(image=content, image_mimetype="image/png", detail="low")
    assert type(block.image) is bytes
    (block,) = _to_blocks(ImageBatch((Image(base64=data, mime_type="image/png"),)), "m")
    assert block == GeneratedImageBlock(image=content, image_mimetype="image/png", model="m")
    assert block.resolve_image().read() == content


@pytest.mark.parametrize("data", ["é", "a", "ab=c", "data:,AAAA", "****"])
def test_invalid_image_data_raises(data: str) -> None:
    """Image data in a response that is not base64 raises `InvalidResponseError`."""
    with pytest.raises(InvalidResponseError, match="not valid base64"):
        from_parts([ImagePart(f"data:image/png;base64,{data}")])
    with pytest.raises(InvalidResponseError, match="not valid base64"):
        _to_blocks(ImageBatch((Image(base64=data),)), "m")
