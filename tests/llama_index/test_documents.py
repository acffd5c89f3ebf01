"""``upload_documents`` replaces the large documents of LlamaIndex's messages by ids."""

import asyncio
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, CitableBlock, DocumentBlock, TextBlock

from xai_lowcode.errors import UsageError

CONTENT = b"%PDF-1.4 large" * 9
TEXT = TextBlock(text="Describe the document.")
SMALL = DocumentBlock(data=b"%PDF-1.4 small")


def by_data(_: Path) -> Any:
    return DocumentBlock(data=CONTENT, title="a.pdf")


def by_file(folder: Path) -> Any:
    path = folder / "a.pdf"
    path.write_bytes(CONTENT)
    return DocumentBlock(path=path)


def by_file_object(_: Path) -> Any:
    return DocumentBlock(data=BytesIO(CONTENT), document_mimetype="application/pdf")


def nested(_: Path) -> Any:
    document = DocumentBlock(data=CONTENT)
    return CitableBlock(title="A", source="a.pdf", content=[document])


@pytest.mark.parametrize("create", [by_data, by_file, by_file_object, nested])
def test_large_documents_are_sent_by_id(
    model: Any, gateway: Any, tmp_path: Path, create: Any
) -> None:
    """A document from any source is sent by id, and deleted afterwards."""
    document = create(tmp_path)
    messages = [
        ChatMessage("Be brief.", role="system"),
        ChatMessage(blocks=[TEXT, document, SMALL]),
    ]
    llm = model()

    async def run_async() -> Any:
        async with llm.aupload_documents(messages, min_size=50) as uploaded:
            assert len(gateway.store.files) == 1
            assert (await llm.achat(uploaded)).message.content
            return gateway.requests[-1].body

    with llm.upload_documents(messages, min_size=50) as uploaded:
        assert len(gateway.store.files) == 1
        assert llm.chat(uploaded).message.content
        sync_body = gateway.requests[-1].body
        # A memory or a workflow may copy the messages.
        again = [message.model_copy(deep=True) for message in uploaded]
        assert llm.chat(again).message.content
    assert len(gateway.store.files) == 0
    body = asyncio.run(run_async())
    assert len(gateway.store.files) == 0
    assert messages[1].blocks[1] is document
    for sent in (sync_body, body):
        content = sent["input"][1]["content"]
        files = [part for part in content if part["type"] == "input_file"]
        assert [part.keys() - {"type"} for part in files] == [
            {"file_id"},
            {"filename", "file_data"},
        ]


def test_a_document_that_cannot_be_read(model: Any, gateway: Any) -> None:
    """The error names the message, and nothing is sent."""
    uploads = model().upload_documents([ChatMessage(blocks=[TEXT, DocumentBlock()])])
    with pytest.raises(UsageError, match=r"messages\[0\]") as raised, uploads:
        pytest.fail("not reached")
    assert raised.value.field == "messages"
    assert gateway.requests == []
