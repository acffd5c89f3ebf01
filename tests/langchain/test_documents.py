"""``upload_documents`` replaces the large documents of LangChain's messages by ids."""

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import Refuse

Chat = Callable[..., ChatXAILowCode]

DATA = base64.b64encode(b"%PDF-1.4 large" * 9).decode()
TEXT = {"type": "text", "text": "Describe the document."}
SMALL = {"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"}
SMALL_DATA = "data:application/pdf;base64,JVBERi0="
# The same document in each format of content blocks.
DOCUMENTS: list[dict[str, Any]] = [
    {"type": "file", "base64": DATA, "mime_type": "application/pdf"},
    {
        "type": "file",
        "source_type": "base64",
        "data": DATA,
        "mime_type": "application/pdf",
        "filename": "a.pdf",
    },
    {
        "type": "file",
        "file": {"file_data": f"data:application/pdf;base64,{DATA}", "filename": "a.pdf"},
    },
    {"type": "input_file", "file_data": f"data:application/pdf;base64,{DATA}"},
    {
        "type": "document",
        "source": {"type": "base64", "data": DATA, "media_type": "application/pdf"},
    },
]


def find_parts(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the content parts of messages and tool results."""
    for item in items:
        content = item.get("content") or item.get("output") or ()
        yield from () if isinstance(content, str) else content


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_large_documents_are_sent_by_id(
    chat: Chat, gateway: Any, document: dict[str, Any]
) -> None:
    """A document in any format is sent by id, in tool messages too, and deleted afterwards."""
    messages = [
        SystemMessage("Be brief."),
        HumanMessage([TEXT, document, SMALL]),
        AIMessage("", tool_calls=[{"name": "read", "args": {}, "id": "c"}]),
        ToolMessage(
            [document, {"type": "listing"}, {"type": "file", "name": "x"}], tool_call_id="c"
        ),
    ]
    copies = [message.model_copy(deep=True) for message in messages]
    llm = chat()
    with llm.upload_documents(messages, min_size=50) as uploaded:
        sync_count = len(gateway.store.files)
        assert llm.invoke(uploaded).text
        sync_body = gateway.requests[-1].body
    assert len(gateway.store.files) == 0
    async with llm.aupload_documents(messages, min_size=50) as uploaded:
        assert (await llm.ainvoke(uploaded)).text
        assert len(gateway.store.files) == sync_count == 1
        body = gateway.requests[-1].body
    assert len(gateway.store.files) == 0
    assert messages == copies
    for sent in (sync_body, body):
        files = [part for part in find_parts(sent["input"]) if part["type"] == "input_file"]
        large = [part for part in files if "file_id" in part]
        assert len(large) == 2
        assert large[0] == large[1]
        assert [part["file_data"] for part in files if part not in large] == [SMALL_DATA]
        assert DATA not in str(sent)


def test_input_of_any_kind(chat: Chat, gateway: Any) -> None:
    """A string, and messages without large documents, are returned as messages."""
    llm = chat()
    for given in ("Hello", [("user", "Hello")], [HumanMessage([TEXT, SMALL])]):
        with llm.upload_documents(given) as uploaded:
            assert llm.invoke(uploaded).text
    assert all("files" not in request.path for request in gateway.requests)


def test_a_failed_upload_is_an_error_of_langchain(chat: Chat, gateway: Any) -> None:
    """A failed upload raises an error of this package that is also LangChain's."""
    gateway.inject(Refuse(400, "Not today."))
    llm = chat(max_retries=0)
    uploads = llm.upload_documents([HumanMessage([TEXT, DOCUMENTS[0]])], min_size=50)
    with pytest.raises(ModelError, match="Not today"), uploads:
        pytest.fail("not reached")
