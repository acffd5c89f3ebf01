"""Large documents are uploaded, sent by id and deleted afterwards, also after an error."""

import asyncio
import base64
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.fake_server import TOKEN, FakeServer, Request, json_reply
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import running
from xai_lowcode.errors import APIStatusError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest

LIMIT = 10


def document(content: bytes, name: str | None = "a.pdf") -> FilePart:
    """Return a document with data."""
    data = base64.b64encode(content).decode()
    return FilePart(data=data, mime_type="application/pdf", filename=name)


SMALL, FIRST, SECOND = document(b"x" * 9), document(b"first " * 9), document(b"second " * 9, None)
LINK, KNOWN = FilePart(url="https://example.com/a.pdf"), FilePart(file_id="file_known")
QUESTION = TextPart("What is in the documents?")
CALL = Message("assistant", (ToolCallPart("c", "read", "{}"),))
MESSAGES = (
    Message("system", (TextPart("Be brief."),)),
    Message("user", (QUESTION, SMALL, FIRST, LINK, KNOWN, ImagePart("https://example.com/a.png"))),
    CALL,
    Message("tool", (ToolResultPart("c", (TextPart("Read."), SECOND, FIRST)),)),
)


class Files:
    """The files API of a scripted gateway.

    Attributes:
        log: The requests, in order.
        failing: The requests that fail with status 400.
    """

    def __init__(self, *failing: str) -> None:
        self.log: list[str] = []
        self.failing = failing
        self.uploads = 0

    def __call__(self, request: Request) -> Any:
        """Return the response to a request."""
        name = request.target.partition("?")[0].rpartition("/")[2]
        if name == "files:initialize":
            self.uploads += 1
            entry, body = "initialize", {"file_id": f"file_{self.uploads}"}
        elif name == "files:uploadChunks":
            file_id = request.json["file_id"]
            content = base64.b64decode(request.json["chunk"])
            entry = f"upload {file_id}"
            body = {"file_id": file_id, "name": "n", "size_bytes": str(len(content))}
        else:
            entry, body = f"{request.method} {name}", {"id": name, "deleted": True}
        self.log.append(entry)
        if entry in self.failing:
            return json_reply({"error": f"refused {entry} for {TOKEN}"}, 400)
        return json_reply(body)


def run(
    gateway: FakeServer,
    files: Files,
    body: Callable[[list[Message]], None],
    *,
    is_async: bool,
    messages: Any = MESSAGES,
) -> None:
    """Run a function with the messages whose documents are uploaded."""
    gateway.respond = files
    settings = Settings.create(
        api_token=TOKEN, base_url=gateway.base_url, max_retries=0, url_format="new"
    )
    model = ChatModel(settings)

    async def run_async() -> None:
        async with model.aupload_documents(messages, min_size=LIMIT) as uploaded:
            body(uploaded)

    if is_async:
        asyncio.run(run_async())
        return
    with model.upload_documents(messages, min_size=LIMIT) as uploaded:
        body(uploaded)


DELETED = ["DELETE file_1", "DELETE file_2"]
UPLOADED = ["initialize", "upload file_1", "initialize", "upload file_2"]
both = pytest.mark.parametrize("is_async", [False, True])


@both
def test_large_documents_are_sent_by_id(gateway: FakeServer, is_async: bool) -> None:
    """Each large document is uploaded once; other parts and the given messages are unchanged."""
    files, ids_at_run = Files(), []
    run(gateway, files, ids_at_run.append, is_async=is_async)
    (uploaded,) = ids_at_run
    first, second = (
        FilePart(file_id="file_1", filename="a.pdf"),
        FilePart(file_id="file_2", filename="document.pdf"),
    )
    assert uploaded == [
        MESSAGES[0],
        Message("user", (QUESTION, SMALL, first, LINK, KNOWN, MESSAGES[1].parts[-1])),
        CALL,
        Message("tool", (ToolResultPart("c", (TextPart("Read."), second, first)),)),
    ]
    assert MESSAGES[1].parts[2] is FIRST
    assert files.log == [*UPLOADED, *DELETED]


@both
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, asyncio.CancelledError])
def test_files_are_deleted_after_an_error(
    gateway: FakeServer, is_async: bool, error: type[BaseException]
) -> None:
    """An error or an interruption of the work with the documents deletes them."""
    files = Files()

    def fail(_: list[Message]) -> None:
        raise error

    with pytest.raises(error):
        run(gateway, files, fail, is_async=is_async)
    assert files.log == [*UPLOADED, *DELETED]


# The request that fails, and all requests.
FAILURES = [
    ("initialize", ["initialize"]),
    ("upload file_1", ["initialize", "upload file_1", "DELETE file_1"]),
    ("upload file_2", [*UPLOADED, *DELETED]),
]


@both
@pytest.mark.parametrize(("failing", "log"), FAILURES)
def test_a_failed_upload(gateway: FakeServer, is_async: bool, failing: str, log: list[str]) -> None:
    """The error is raised, and what was uploaded before is deleted."""
    files = Files(failing)
    with pytest.raises(APIStatusError, match=f"refused {failing}") as raised:
        run(gateway, files, lambda _: pytest.fail("not reached"), is_async=is_async)
    assert TOKEN not in str(raised.value)
    assert files.log == log


@both
@pytest.mark.parametrize("fails", [False, True])
def test_a_failed_deletion(gateway: FakeServer, is_async: bool, fails: bool) -> None:
    """A failed deletion warns with the id; the other file is deleted, and an error is raised."""
    files = Files("DELETE file_1")

    def work(_: list[Message]) -> None:
        if fails:
            raise LookupError

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        if fails:
            with pytest.raises(LookupError):
                run(gateway, files, work, is_async=is_async)
        else:
            run(gateway, files, work, is_async=is_async)
    (warning,) = warned
    assert str(warning.message).startswith("The uploaded document file_1 could not be deleted: ")
    assert TOKEN not in str(warning.message)
    assert files.log == [*UPLOADED, *DELETED]


@both
def test_nothing_to_upload(gateway: FakeServer, is_async: bool) -> None:
    """Without large documents nothing is sent, and the messages are the same."""
    files, ids_at_run = Files(), []
    messages = (MESSAGES[0], Message("user", (QUESTION, SMALL, LINK, KNOWN)))
    run(gateway, files, ids_at_run.append, is_async=is_async, messages=messages)
    assert ids_at_run == [list(messages)]
    assert files.log == []


@both
def test_invalid_data(gateway: FakeServer, is_async: bool) -> None:
    """Data that is not base64 raises before anything is sent."""
    files = Files()
    messages = (Message("user", (FIRST, FilePart(data="?" * 99, filename="b.pdf"))),)
    with pytest.raises(UsageError, match=r"b\.pdf") as raised:
        run(gateway, files, lambda _: None, is_async=is_async, messages=messages)
    assert raised.value.field == "messages"
    assert files.log == []


def test_both_apis_accept_the_messages() -> None:
    """A request with the ids gets a response; afterwards the gateway has no file."""
    with running() as gateway:
        model = ChatModel(Settings.create(api_token=gateway.api_token, base_url=gateway.base_url))
        for api in ("responses", "chat_completions"):
            with model.upload_documents(MESSAGES[:2], min_size=LIMIT) as uploaded:
                large = [uploaded[0], Message("user", (QUESTION, *uploaded[1].parts[2:4]))]
                request: Any = ChatRequest(model="grok-4.7", messages=large, api=api)
                assert model.generate(request).text
                assert len(gateway.store.files) == 1
            assert len(gateway.store.files) == 0
