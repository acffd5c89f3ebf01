"""Inline and uploaded documents have a file name, in both adapters."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.base.llms.types import ChatMessage, DocumentBlock

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import Emulator, running

PDF = b"%PDF-1.4 x"
PDF_TYPE = "application/pdf"
DATA = base64.b64encode(PDF).decode()


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    """The emulator of the tests."""
    with running() as emulator:
        yield emulator


def open_options(emulator: Emulator) -> dict[str, Any]:
    return {"base_url": emulator.base_url, "api_token": emulator.api_token}


def langchain_message(block: dict[str, Any]) -> HumanMessage:
    return HumanMessage([{"type": "file", "base64": DATA, **block}])


def llama_index_message(**options: Any) -> ChatMessage:
    return ChatMessage(role="user", blocks=[DocumentBlock(**options)])


CASES: list[tuple[Any, str]] = [
    (langchain_message({"mime_type": PDF_TYPE}), "document.pdf"),
    (langchain_message({"mime_type": PDF_TYPE, "filename": "a"}), "a"),
    (langchain_message({"mime_type": PDF_TYPE, "extras": {"filename": "a.pdf"}}), "a.pdf"),
    (langchain_message({"mime_type": "text/csv"}), "document.csv"),
    (langchain_message({"mime_type": "made/up"}), "document"),
    (langchain_message({}), "document"),
    (llama_index_message(data=PDF), "document.pdf"),
    (llama_index_message(data=PDF, title="Report"), "Report"),
    (llama_index_message(path="{folder}/my report.pdf"), "my report.pdf"),
    (llama_index_message(path="{folder}/my report.pdf", title="Report"), "Report"),
]


@pytest.mark.parametrize(("message", "name"), CASES)
def test_names(emulator: Emulator, tmp_path: Path, message: Any, name: str) -> None:
    """A document has its own name, or one whose extension fits its type, inline and uploaded."""
    emulator.reset()
    (tmp_path / "my report.pdf").write_bytes(PDF)
    if isinstance(message, HumanMessage):
        langchain = ChatXAILowCode(**open_options(emulator))
        langchain.invoke([message])
        with langchain.upload_documents([message], min_size=1):
            pass
    else:
        block = message.blocks[0]
        if block.path:
            path = str(block.path).format(folder=tmp_path)
            block = block.model_copy(update={"path": path})
        message = ChatMessage(role="user", blocks=[block])
        llama_index = XAILowCode(**open_options(emulator))
        llama_index.chat([message])
        with llama_index.upload_documents([message], min_size=1):
            pass
    inline, upload, *_ = emulator.requests
    assert inline.body["input"][0]["content"][0]["filename"] == name
    assert name in str(upload.body)
