"""Uploads: each byte is received once and in order, whichever request fails.

Received chunks are counted by the emulator or by the fake files API.
"""

import asyncio
import base64
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_files import FakeFiles, get_file_content
from tests.core.fake_server import TOKEN, Action, Drop, FakeServer, Reply, Stall, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import ENVELOPES, refused
from xai_lowcode.api.client import AsyncGateway
from xai_lowcode.api.endpoints import UPLOAD_CHUNK
from xai_lowcode.api.files import Upload, upload
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    InvalidResponseError,
    RateLimitError,
    UsageError,
)
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import HTTPResponse, RunBlocking, SendRequest
from xai_lowcode.protocol.urls import UrlFormatSelector

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


def run_upload(source: Any, **options: Any) -> tuple[bytes, list[tuple[int, int]], list[int]]:
    """Run the flow of an upload: return the content, the reported progress and the chunk sizes."""
    received, reported, lengths = b"", list[tuple[int, int]](), list[int]()
    context = CallContext(RetryPolicy(), UrlFormatSelector(), TOKEN, lambda: 0.0, lambda: 0.5)
    steps = upload(context, source, progress=lambda *values: reported.append(values), **options)
    outcome: Any = None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, RunBlocking):
                outcome = step.run()
                continue
            assert isinstance(step, SendRequest)
            body: dict[str, Any] = json.loads(step.call.body or b"")
            document: dict[str, Any] = {"file_id": "f"}
            if step.call.endpoint is UPLOAD_CHUNK:
                chunk = base64.b64decode(body["chunk"], validate=True)
                lengths.append(len(chunk))
                received += chunk
                document["size_bytes"] = str(len(received))
            outcome = HTTPResponse(200, {}, json.dumps(document).encode())
    except StopIteration as end:
        record = end.value
    assert (record.id, record.size) == ("f", len(received))
    return received, reported, lengths


@given(st.binary(min_size=1, max_size=60), st.integers(1, 70))
def test_any_content_in_chunks_of_any_size(content: bytes, size: int) -> None:
    """Content of any length and chunk size is received in order, and its progress is reported."""
    received, reported, lengths = run_upload(content, name="n", chunk_size=size)
    assert received == content
    assert lengths == [min(size, len(content) - start) for start in range(0, len(content), size)]
    assert [sent for sent, _ in reported] == [
        sum(lengths[: end + 1]) for end in range(len(lengths))
    ]
    assert {total for _, total in reported} == {len(content)}


@pytest.mark.parametrize("chunk_count", [1, 2, 3])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_chunks_are_full_and_not_empty(tmp_path: Path, chunk_count: int, extra: int) -> None:
    """A file is sent in as few chunks as possible, none of them empty."""
    content = bytes(range(256))[: 10 * chunk_count + extra]
    path = tmp_path / "data.bin"
    path.write_bytes(content)
    received, _, lengths = run_upload(path, chunk_size=10)
    assert received == content
    assert len(lengths) == -(-len(content) // 10)
    assert 0 not in lengths
    assert run_upload(str(path))[2] == [len(content)]


@both_clients
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_upload_of_paths_and_bytes(
    emulator: Emulator, tmp_path: Path, kind: type[Any], envelope: Any
) -> None:
    """Paths, strings and bytes are uploaded; the record has name, size and content type."""
    emulator.envelope = envelope
    path = tmp_path / "bericht é.pdf"
    path.write_bytes(bytes(range(256)) * 3)
    reported: list[tuple[int, int]] = []
    with open_client(kind, emulator_settings(emulator)) as gateway:
        for source, name in ((path, ""), (str(path), "other.pdf"), (path.read_bytes(), "b.pdf")):
            emulator.reset()
            emulator.envelope = envelope
            reported.clear()
            record = gateway.call_method(
                "upload_file",
                source,
                name=name,
                chunk_size=500,
                progress=lambda *values: reported.append(values),
            )
            assert get_file_content(emulator) == path.read_bytes()
            assert (record.name, record.size) == (name or path.name, 768)
            assert (record.content_type, record.upload_status) == ("application/pdf", "Complete")
            assert reported == [(500, 768), (768, 768)]
            assert gateway.call_method("get_file", record.id).size == 768


@both_clients
@pytest.mark.parametrize("name", ["x", "x.unheard-of", "x.tar.gz", "x.TXT"])
def test_the_content_type(emulator: Emulator, kind: type[Any], name: str) -> None:
    """The content type is the given one, else that of the file name, else the one for bytes."""
    with open_client(kind, emulator_settings(emulator)) as gateway:
        record = gateway.call_method("upload_file", b"x", name=name)
        assert record.content_type
        assert (
            gateway.call_method("upload_file", b"x", name=name, content_type="a/b").content_type
            == "a/b"
        )


FAILURES: dict[str, tuple[Action, type[Exception]]] = {
    "dropped": (Drop(), APIConnectionError),
    "cut": (Reply(b'{"file', cut=True), APIConnectionError),
    "no response": (Stall(), APITimeoutError),
    "html": (Reply(b"<html>x</html>", 502, "text/html"), APIStatusError),
    "nonsense": (Reply(b"nonsense"), InvalidResponseError),
    "rate limit": (json_reply(refused({"error": "slow"}), 429), RateLimitError),
}


@both_clients
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("failed_chunk", [0, 1, 2])
def test_a_received_chunk_is_not_sent_twice(
    gateway: FakeServer,
    fake_files: FakeFiles,
    delays: Delays,
    kind: type[Any],
    failure: str,
    failed_chunk: int,
) -> None:
    """A failed response ends the upload; it can be continued from the size that xAI reports."""
    content, reported = bytes(range(30)), list[int]()
    upload_state = Upload(content, "n.bin")
    action, error = FAILURES[failure]
    fake_files.actions = [*[None] * failed_chunk, action]
    options: dict[str, Any] = {"chunk_size": 10, "progress": lambda sent, _: reported.append(sent)}
    timeout = 0.3 if failure == "no response" else 30
    with open_client(kind, server_settings(gateway, max_retries=5, timeout=timeout)) as client:
        with pytest.raises(error) as raised:
            client.call_method("upload_file", upload_state, **options)
        assert fake_files.chunk_count == failed_chunk + 1
        (note,) = raised.value.__notes__
        assert note.startswith(f"{10 * failed_chunk} of 30 bytes of n.bin were sent as file_1")
        assert (upload_state.file_id, upload_state.sent, upload_state.size) == (
            "file_1",
            10 * failed_chunk,
            30,
        )
        upload_state = pickle.loads(pickle.dumps(upload_state))  # noqa: S301 - just written
        record = client.call_method("upload_file", upload_state, **options)
    assert fake_files.content == content
    assert fake_files.endpoints.count("files:initialize") == 1
    assert fake_files.chunk_count == 3
    assert record.size == 30
    assert upload_state.sent == 30
    # No callback reports the chunk whose response was lost, unless another chunk follows.
    assert reported == [10 * (end + 1) for end in range(3) if end != failed_chunk]
    assert delays == []
    assert gateway.open_connections == 0


@both_clients
def test_an_upload_continues_inside_a_chunk(gateway: FakeServer, kind: type[Any]) -> None:
    """An upload continues after the last byte that xAI has, also inside a chunk."""
    gateway.respond = fake_files = FakeFiles()
    fake_files.content = bytes(range(13))
    upload_state = Upload(bytes(range(30)), "n.bin", file_id="file_1", sent=20, size=30)
    with open_client(kind, server_settings(gateway)) as client:
        client.call_method("upload_file", upload_state, chunk_size=10)
    assert fake_files.content == bytes(range(30))
    assert fake_files.chunk_count == 2


@both_clients
def test_a_complete_upload_is_not_repeated(
    gateway: FakeServer, fake_files: FakeFiles, kind: type[Any]
) -> None:
    """Continuing a complete upload returns its record."""
    upload_state = Upload(b"abc", "n.bin")
    with open_client(kind, server_settings(gateway)) as client:
        for _ in range(2):
            assert client.call_method("upload_file", upload_state).size == 3
    assert fake_files.content == b"abc"
    assert fake_files.endpoints == ["files:initialize", "files:uploadChunks", "file_1"]


@both_clients
@pytest.mark.parametrize("record", [{"id": "file_1"}, {"id": "file_1", "bytes": 31}])
def test_an_upload_that_cannot_be_continued(
    gateway: FakeServer, kind: type[Any], record: dict[str, Any]
) -> None:
    """If xAI reports no size, or one larger than the file, an error is raised."""
    gateway.script([json_reply(record)])
    upload_state = Upload(bytes(30), "n.bin", file_id="file_1", sent=10, size=30)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(UsageError):
        client.call_method("upload_file", upload_state)
    assert len(gateway.requests) == 1


class StoppedError(Exception):
    """Raised by a callback."""


@both_clients
def test_an_exception_of_the_callback_ends_the_upload(
    gateway: FakeServer, fake_files: FakeFiles, kind: type[Any]
) -> None:
    """An exception of ``progress`` is raised, and the chunk before it counts as sent."""

    def stop(_sent: int, _size: int) -> None:
        raise StoppedError

    upload_state = Upload(bytes(30), "n.bin")
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(StoppedError):
            client.call_method("upload_file", upload_state, chunk_size=10, progress=stop)
        assert upload_state.sent == 10
        client.call_method("upload_file", upload_state, chunk_size=10)
    assert fake_files.chunk_count == 3


async def test_a_cancelled_upload_closes_its_connection(
    gateway: FakeServer, fake_files: FakeFiles
) -> None:
    """Cancelling during a chunk closes the connection, and the upload can be continued."""
    fake_files.actions = [None, Stall()]
    upload_state = Upload(bytes(30), "n.bin")
    async with AsyncGateway(server_settings(gateway)) as client:
        task = asyncio.create_task(client.upload_file(upload_state, chunk_size=10))
        while fake_files.chunk_count < 2:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gateway.open_connections == 0
        await client.upload_file(upload_state, chunk_size=10)
    assert len(fake_files.content) == 30
