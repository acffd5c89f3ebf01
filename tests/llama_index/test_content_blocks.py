"""Each type of content block with each API: what is sent, or the error before anything is sent.

The conversion to parts is tested in ``test_messages``.
"""

import base64
import io
import threading
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
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

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.errors import UsageError

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg=="
)
DATA = base64.b64encode(PNG).decode()
PDF = b"%PDF-1.7 x"
PDF_DATA = base64.b64encode(PDF).decode()
IMAGE_URL, PDF_URL = "https://x.ai/a.png", "https://x.ai/a.pdf"
APIS = ("chat_completions", "responses", "messages")
REJECTED = "refused"
ONLY_TEXT: dict[str, Any] = dict.fromkeys(APIS, "look")


def text(string: str) -> dict[str, Any]:
    """Return an expected text: one string in the APIs that accept it, else parts."""
    return {
        "chat_completions": f"look\n{string}",
        "responses": f"look\n{string}",
        "messages": [{"type": "text", "text": "look"}, {"type": "text", "text": string}],
    }


def part(chat: Any, responses: Any, messages: Any) -> dict[str, Any]:
    """Return an expected part after the text, for each API; REJECTED if it is not supported."""
    first_text = {
        "chat_completions": {"type": "text", "text": "look"},
        "responses": {"type": "input_text", "text": "look"},
        "messages": {"type": "text", "text": "look"},
    }
    found = dict(zip(APIS, (chat, responses, messages), strict=True))
    return {f: p if p == REJECTED else [first_text[f], p] for f, p in found.items()}


IMAGE_AT_URL = part(
    {"type": "image_url", "image_url": {"url": IMAGE_URL}},
    {"type": "input_image", "image_url": IMAGE_URL},
    {"type": "image", "source": {"type": "url", "url": IMAGE_URL}},
)
IMAGE_AS_DATA = part(
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{DATA}"}},
    {"type": "input_image", "image_url": f"data:image/png;base64,{DATA}"},
    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": DATA}},
)
PDF_AT_URL = part(
    {"type": "file", "file": {"url": PDF_URL}},
    {"type": "input_file", "file_url": PDF_URL},
    REJECTED,
)
PDF_AS_DATA = part(
    REJECTED,
    {
        "type": "input_file",
        "filename": "a.pdf",
        "file_data": f"data:application/pdf;base64,{PDF_DATA}",
    },
    REJECTED,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an image, a text and a PDF."""
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "a.txt").write_text("a file")
    (tmp_path / "a.pdf").write_bytes(PDF)
    return tmp_path


USER_BLOCKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "text": (lambda _: TextBlock(text="more"), text("more")),
    "image url": (lambda _: ImageBlock(url=IMAGE_URL), IMAGE_AT_URL),
    "image bytes": (lambda _: ImageBlock(image=PNG), IMAGE_AS_DATA),
    "image path": (lambda folder: ImageBlock(path=folder / "a.png"), IMAGE_AS_DATA),
    "text bytes": (lambda _: DocumentBlock(data=b"words", title="t.txt"), text("t.txt\n\nwords")),
    "text path": (lambda folder: DocumentBlock(path=folder / "a.txt"), text("a file")),
    "pdf url": (lambda _: DocumentBlock(url=PDF_URL), PDF_AT_URL),
    "pdf bytes": (lambda _: DocumentBlock(data=PDF, title="a.pdf"), PDF_AS_DATA),
    "pdf path": (lambda folder: DocumentBlock(path=folder / "a.pdf", title="a.pdf"), PDF_AS_DATA),
    "citable": (
        lambda _: CitableBlock(title="T", source="s", content="words"),
        {
            "chat_completions": "look\nT (s)\nwords",
            "responses": "look\nT (s)\nwords",
            "messages": [{"type": "text", "text": string} for string in ("look", "T (s)", "words")],
        },
    ),
    "cache point": (lambda _: CachePoint(cache_control=CacheControl(type="ephemeral")), ONLY_TEXT),
    "audio": (lambda _: AudioBlock(audio=b"a"), dict.fromkeys(APIS, REJECTED)),
    "video": (lambda _: VideoBlock(video=b"a"), dict.fromkeys(APIS, REJECTED)),
}


def received(gateway: Any, api: str, index: int) -> Any:
    body = gateway.requests[-1].body
    return body["input" if api == "responses" else "messages"][index]


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", USER_BLOCKS)
def test_blocks_of_user_messages(
    sync_async: Any, gateway: Any, model: Any, folder: Path, name: str, api: str
) -> None:
    """A block of a user message is converted for each API, or raises an error."""
    make, expected = USER_BLOCKS[name]
    message = ChatMessage(blocks=[TextBlock(text="look"), make(folder)])
    llm = model(api=api)
    if expected[api] == REJECTED:
        with pytest.raises(UsageError, match=r"messages"):
            sync_async.call(llm, "chat", [message])
        assert not gateway.requests
        return
    sync_async.call(llm, "chat", [message])
    assert received(gateway, api, 0) == {"role": "user", "content": expected[api]}


CALL = ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={"x": 1})
CITATION = CitationBlock(
    cited_content="c", source="https://x.ai", title="T", additional_location_info={}
)
ASSISTANT_BLOCKS: dict[str, Any] = {
    "chat_completions": {"role": "assistant", "content": "said"},
    "responses": {"role": "assistant", "content": "said"},
    "messages": {"role": "assistant", "content": "said"},
}


def tool_call(name: str, arguments: str, parsed: Any) -> dict[str, Any]:
    """Return a tool call in the format of an API."""
    function = {"name": name, "arguments": arguments}
    return {
        "chat_completions": {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        "responses": {"type": "function_call", "call_id": "c", **function},
        "messages": {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c", "name": name, "input": parsed}],
        },
    }


ANSWER_BLOCKS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "citation": ([TextBlock(text="said"), CITATION], ASSISTANT_BLOCKS),
    "thinking": (
        [
            ThinkingBlock(content="hm", additional_information={"model_provider": "xai-lowcode"}),
            TextBlock(text="said"),
        ],
        {
            "chat_completions": ASSISTANT_BLOCKS["chat_completions"] | {"reasoning_content": "hm"},
            "responses": ASSISTANT_BLOCKS["responses"],
            "messages": {"role": "assistant", "content": [{"type": "text", "text": "said"}]},
        },
    ),
    "thinking of another model": (
        [ThinkingBlock(content="hm"), TextBlock(text="said")],
        ASSISTANT_BLOCKS,
    ),
    "tool call": ([CALL], tool_call("f", '{"x":1}', {"x": 1})),
    "tool call without arguments": (
        [ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs="")],
        tool_call("f", "{}", {}),
    ),
}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", ANSWER_BLOCKS)
def test_blocks_of_earlier_responses(
    sync_async: Any, gateway: Any, model: Any, name: str, api: str
) -> None:
    """Blocks of an earlier response without items are sent back, tool calls included."""
    blocks, expected = ANSWER_BLOCKS[name]
    history = [ChatMessage("Hi"), ChatMessage(role="assistant", blocks=blocks)]
    if name.startswith("tool call"):
        history.append(ChatMessage("r", role="tool", additional_kwargs={"tool_call_id": "c"}))
    else:
        history.append(ChatMessage("And?"))
    sync_async.call(model(api=api), "chat", history)
    assert received(gateway, api, 1) == expected[api]


@pytest.mark.parametrize("api", APIS)
def test_images_of_tool_results(sync_async: Any, gateway: Any, model: Any, api: str) -> None:
    """The image of a tool result is sent with its text."""
    result = ChatMessage(
        role="tool",
        blocks=[TextBlock(text="here"), ImageBlock(image=PNG)],
        additional_kwargs={"tool_call_id": "c"},
    )
    history = [ChatMessage("Hi"), ChatMessage(role="assistant", blocks=[CALL]), result]
    answer = sync_async.call(model(api=api), "chat", history)
    assert "1 image" in answer.message.content
    assert DATA in str(received(gateway, api, 2))


# --- files are not read in the event loop's thread -----------------------------------------------

FILES = {
    "image": lambda folder: ImageBlock(path=folder / "a.png"),
    "document": lambda folder: DocumentBlock(path=folder / "a.txt"),
    "nested": lambda folder: CitableBlock(
        title="T", source="s", content=[DocumentBlock(path=folder / "a.txt")]
    ),
    "open file": lambda folder: ImageBlock(image=ObservedFile((folder / "a.png").read_bytes())),
}
readers: list[int] = []


class ObservedFile(io.BytesIO):
    """An open file that records which thread reads it."""

    def read(self, *args: Any) -> bytes:
        readers.append(threading.get_ident())
        return super().read(*args)


@pytest.mark.parametrize("method", ["achat", "astream_chat", "achat_with_tools"])
@pytest.mark.parametrize("name", FILES)
async def test_files_are_read_in_a_thread(
    llm: XAILowCode, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, method: str
) -> None:
    """Async methods do not read files in the thread of the event loop."""
    if name == "open file" and "IOBase" not in str(ImageBlock.model_fields["image"].annotation):
        pytest.skip("older versions of LlamaIndex take no file objects")
    message = ChatMessage(blocks=[FILES[name](folder)])
    original = Path.read_bytes

    def read_bytes(path: Path) -> bytes:
        readers.append(threading.get_ident())
        return original(path)

    readers.clear()
    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    if method == "achat_with_tools":
        await llm.achat_with_tools([], chat_history=[message])
    else:
        answer = await getattr(llm, method)([message])
        if method == "astream_chat":
            assert [response async for response in answer]
    assert readers
    assert threading.get_ident() not in readers
