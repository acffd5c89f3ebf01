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
FORMS = ("chat_completions", "responses", "messages")
REFUSED = "refused"
ONLY_TEXT: dict[str, Any] = dict.fromkeys(FORMS, "look")


def text(words: str) -> dict[str, Any]:
    """A text beside others: one string in the forms that take it, else parts."""
    return {
        "chat_completions": f"look\n{words}",
        "responses": f"look\n{words}",
        "messages": [{"type": "text", "text": "look"}, {"type": "text", "text": words}],
    }


def part(chat: Any, responses: Any, messages: Any) -> dict[str, Any]:
    """A part after the text, in each form; REFUSED where the form has none."""
    lead = {
        "chat_completions": {"type": "text", "text": "look"},
        "responses": {"type": "input_text", "text": "look"},
        "messages": {"type": "text", "text": "look"},
    }
    found = dict(zip(FORMS, (chat, responses, messages), strict=True))
    return {f: p if p == REFUSED else [lead[f], p] for f, p in found.items()}


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
    {"type": "file", "file": {"url": PDF_URL}}, {"type": "input_file", "file_url": PDF_URL}, REFUSED
)
PDF_AS_DATA = part(
    REFUSED,
    {
        "type": "input_file",
        "filename": "a.pdf",
        "file_data": f"data:application/pdf;base64,{PDF_DATA}",
    },
    REFUSED,
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
            "messages": [{"type": "text", "text": said} for said in ("look", "T (s)", "words")],
        },
    ),
    "cache point": (lambda _: CachePoint(cache_control=CacheControl(type="ephemeral")), ONLY_TEXT),
    "audio": (lambda _: AudioBlock(audio=b"a"), dict.fromkeys(FORMS, REFUSED)),
    "video": (lambda _: VideoBlock(video=b"a"), dict.fromkeys(FORMS, REFUSED)),
}


def received(gateway: Any, form: str, place: int) -> Any:
    body = gateway.requests[-1].body
    return body["input" if form == "responses" else "messages"][place]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", USER_BLOCKS)
def test_what_users_say(
    sync_async: Any, gateway: Any, model: Any, folder: Path, name: str, form: str
) -> None:
    """A block of a user message is converted for each API, or raises an error."""
    make, wanted = USER_BLOCKS[name]
    message = ChatMessage(blocks=[TextBlock(text="look"), make(folder)])
    llm = model(api=form)
    if wanted[form] == REFUSED:
        with pytest.raises(UsageError, match=r"messages"):
            sync_async.call(llm, "chat", [message])
        assert not gateway.requests
        return
    sync_async.call(llm, "chat", [message])
    assert received(gateway, form, 0) == {"role": "user", "content": wanted[form]}


CALL = ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs={"x": 1})
CITATION = CitationBlock(
    cited_content="c", source="https://x.ai", title="T", additional_location_info={}
)
SAID: dict[str, Any] = {
    "chat_completions": {"role": "assistant", "content": "said"},
    "responses": {"role": "assistant", "content": "said"},
    "messages": {"role": "assistant", "content": "said"},
}


def called(name: str, arguments: str, parsed: Any) -> dict[str, Any]:
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
    "citation": ([TextBlock(text="said"), CITATION], SAID),
    "thinking": (
        [
            ThinkingBlock(content="hm", additional_information={"model_provider": "xai-lowcode"}),
            TextBlock(text="said"),
        ],
        {
            "chat_completions": SAID["chat_completions"] | {"reasoning_content": "hm"},
            "responses": SAID["responses"],
            "messages": {"role": "assistant", "content": [{"type": "text", "text": "said"}]},
        },
    ),
    "thinking of another model": ([ThinkingBlock(content="hm"), TextBlock(text="said")], SAID),
    "tool call": ([CALL], called("f", '{"x":1}', {"x": 1})),
    "tool call without arguments": (
        [ToolCallBlock(tool_call_id="c", tool_name="f", tool_kwargs="")],
        called("f", "{}", {}),
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ANSWER_BLOCKS)
def test_what_the_model_said(
    sync_async: Any, gateway: Any, model: Any, name: str, form: str
) -> None:
    """Blocks of an earlier response without items are sent back, tool calls included."""
    blocks, wanted = ANSWER_BLOCKS[name]
    talk = [ChatMessage("Hi"), ChatMessage(role="assistant", blocks=blocks)]
    if name.startswith("tool call"):
        talk.append(ChatMessage("r", role="tool", additional_kwargs={"tool_call_id": "c"}))
    else:
        talk.append(ChatMessage("And?"))
    sync_async.call(model(api=form), "chat", talk)
    assert received(gateway, form, 1) == wanted[form]


@pytest.mark.parametrize("form", FORMS)
def test_images_that_tools_give(sync_async: Any, gateway: Any, model: Any, form: str) -> None:
    """The image of a tool result is sent beside its text."""
    result = ChatMessage(
        role="tool",
        blocks=[TextBlock(text="here"), ImageBlock(image=PNG)],
        additional_kwargs={"tool_call_id": "c"},
    )
    talk = [ChatMessage("Hi"), ChatMessage(role="assistant", blocks=[CALL]), result]
    answer = sync_async.call(model(api=form), "chat", talk)
    assert "1 image" in answer.message.content
    assert DATA in str(received(gateway, form, 2))


# --- nothing waits for files on the event loop --------------------------------------------------

FILES = {
    "image": lambda folder: ImageBlock(path=folder / "a.png"),
    "document": lambda folder: DocumentBlock(path=folder / "a.txt"),
    "nested": lambda folder: CitableBlock(
        title="T", source="s", content=[DocumentBlock(path=folder / "a.txt")]
    ),
    "open file": lambda folder: ImageBlock(image=Watched((folder / "a.png").read_bytes())),
}
readers: list[int] = []


class Watched(io.BytesIO):
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
