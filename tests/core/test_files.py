"""Law: what is uploaded arrives once and whole, however the line breaks.

Pieces are counted where they arrive: in the emulator's store, or on the scripted server.
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
from tests.core.fake_files import FakeFiles, stored
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

both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


def by_hand(source: Any, **options: Any) -> tuple[bytes, list[tuple[int, int]], list[int]]:
    """Drives an upload without a network: what arrived, what was told, how long pieces were."""
    arrived, told, lengths = b"", list[tuple[int, int]](), list[int]()
    session = CallContext(RetryPolicy(), UrlFormatSelector(), TOKEN, lambda: 0.0, lambda: 0.5)
    steps = upload(session, source, progress=lambda *facts: told.append(facts), **options)
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
                piece = base64.b64decode(body["chunk"], validate=True)
                lengths.append(len(piece))
                arrived += piece
                document["size_bytes"] = str(len(arrived))
            outcome = HTTPResponse(200, {}, json.dumps(document).encode())
    except StopIteration as end:
        record = end.value
    assert (record.id, record.size) == ("f", len(arrived))
    return arrived, told, lengths


@given(st.binary(min_size=1, max_size=60), st.integers(1, 70))
def test_any_bytes_in_any_pieces(content: bytes, size: int) -> None:
    """Whatever the size of a piece, the bytes arrive in order and once, and progress adds up."""
    arrived, told, lengths = by_hand(content, name="n", chunk_size=size)
    assert arrived == content
    assert lengths == [min(size, len(content) - start) for start in range(0, len(content), size)]
    assert [sent for sent, _ in told] == [sum(lengths[: end + 1]) for end in range(len(lengths))]
    assert {whole for _, whole in told} == {len(content)}


@pytest.mark.parametrize("pieces", [1, 2, 3])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_sizes_around_a_border(tmp_path: Path, pieces: int, over: int) -> None:
    """A file that just fills its pieces has no empty one behind them, and none is cut short."""
    content = bytes(range(256))[: 10 * pieces + over]
    path = tmp_path / "data.bin"
    path.write_bytes(content)
    arrived, _, lengths = by_hand(path, chunk_size=10)
    assert arrived == content
    assert len(lengths) == -(-len(content) // 10)
    assert 0 not in lengths
    assert by_hand(str(path))[2] == [len(content)]


@both
@pytest.mark.parametrize("how", ENVELOPES)
def test_files_arrive(emulator: Emulator, tmp_path: Path, kind: type[Any], how: Any) -> None:
    """A path, its text, and bytes are uploaded with name and type; the record tells of them."""
    emulator.envelope = how
    path = tmp_path / "bericht é.pdf"
    path.write_bytes(bytes(range(256)) * 3)
    told: list[tuple[int, int]] = []
    with open_client(kind, emulator_settings(emulator)) as gateway:
        for source, name in ((path, ""), (str(path), "other.pdf"), (path.read_bytes(), "b.pdf")):
            emulator.reset()
            emulator.envelope = how
            told.clear()
            record = gateway.call_method(
                "upload_file",
                source,
                name=name,
                chunk_size=500,
                progress=lambda *facts: told.append(facts),
            )
            assert stored(emulator) == path.read_bytes()
            assert (record.name, record.size) == (name or path.name, 768)
            assert (record.content_type, record.upload_status) == ("application/pdf", "Complete")
            assert told == [(500, 768), (768, 768)]
            assert gateway.call_method("get_file", record.id).size == 768


@both
@pytest.mark.parametrize("name", ["x", "x.unheard-of", "x.tar.gz", "x.TXT"])
def test_the_type_is_told(emulator: Emulator, kind: type[Any], name: str) -> None:
    """A type is given always: the user's, that of the name, or the one for bytes."""
    with open_client(kind, emulator_settings(emulator)) as gateway:
        record = gateway.call_method("upload_file", b"x", name=name)
        assert record.content_type
        assert (
            gateway.call_method("upload_file", b"x", name=name, content_type="a/b").content_type
            == "a/b"
        )


LOSSES: dict[str, tuple[Action, type[Exception]]] = {
    "dropped": (Drop(), APIConnectionError),
    "cut": (Reply(b'{"file', cut=True), APIConnectionError),
    "silence": (Stall(), APITimeoutError),
    "html": (Reply(b"<html>x</html>", 502, "text/html"), APIStatusError),
    "nonsense": (Reply(b"nonsense"), InvalidResponseError),
    "rate": (json_reply(refused({"error": "slow"}), 429), RateLimitError),
}


@both
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_piece_that_arrived_is_not_sent_twice(
    gateway: FakeServer, fake_files: FakeFiles, delays: Delays, kind: type[Any], loss: str, at: int
) -> None:
    """An answer that is lost ends the upload; given again it goes on where xAI says."""
    content, told = bytes(range(30)), list[int]()
    job = Upload(content, "n.bin")
    move, error = LOSSES[loss]
    fake_files.actions = [*[None] * at, move]
    options: dict[str, Any] = {"chunk_size": 10, "progress": lambda sent, _: told.append(sent)}
    patience = 0.3 if loss == "silence" else 30
    with open_client(kind, server_settings(gateway, max_retries=5, timeout=patience)) as client:
        with pytest.raises(error) as raised:
            client.call_method("upload_file", job, **options)
        assert fake_files.chunk_count == at + 1
        (note,) = raised.value.__notes__
        assert note.startswith(f"{10 * at} of 30 bytes of n.bin were sent as file_1")
        assert (job.file_id, job.sent, job.size) == ("file_1", 10 * at, 30)
        job = pickle.loads(pickle.dumps(job))  # noqa: S301 - just written
        record = client.call_method("upload_file", job, **options)
    assert fake_files.content == content
    assert fake_files.endpoints.count("files:initialize") == 1
    assert fake_files.chunk_count == 3
    assert record.size == 30
    assert job.sent == 30
    # No callback reports the chunk whose response was lost, unless another chunk follows.
    assert told == [10 * (end + 1) for end in range(3) if end != at]
    assert delays == []
    assert gateway.open_connections == 0


@both
def test_an_upload_goes_on_inside_a_piece(gateway: FakeServer, kind: type[Any]) -> None:
    """Where xAI has part of a piece, the rest of it is sent and no byte more."""
    gateway.respond = fake_files = FakeFiles()
    fake_files.content = bytes(range(13))
    job = Upload(bytes(range(30)), "n.bin", file_id="file_1", sent=20, size=30)
    with open_client(kind, server_settings(gateway)) as client:
        client.call_method("upload_file", job, chunk_size=10)
    assert fake_files.content == bytes(range(30))
    assert fake_files.chunk_count == 2


@both
def test_a_finished_upload_sends_nothing(
    gateway: FakeServer, fake_files: FakeFiles, kind: type[Any]
) -> None:
    """An upload that is given once more after its end returns the record."""
    job = Upload(b"abc", "n.bin")
    with open_client(kind, server_settings(gateway)) as client:
        for _ in range(2):
            assert client.call_method("upload_file", job).size == 3
    assert fake_files.content == b"abc"
    assert fake_files.endpoints == ["files:initialize", "files:uploadChunks", "file_1"]


@both
@pytest.mark.parametrize("record", [{"id": "file_1"}, {"id": "file_1", "bytes": 31}])
def test_an_upload_that_cannot_go_on(
    gateway: FakeServer, kind: type[Any], record: dict[str, Any]
) -> None:
    """When xAI does not tell how much arrived, or tells of more than there is, nothing is sent."""
    gateway.script([json_reply(record)])
    job = Upload(bytes(30), "n.bin", file_id="file_1", sent=10, size=30)
    with open_client(kind, server_settings(gateway)) as client, pytest.raises(UsageError):
        client.call_method("upload_file", job)
    assert len(gateway.requests) == 1


class StoppedError(Exception):
    """Raised by a callback."""


@both
def test_a_callback_can_stop_an_upload(
    gateway: FakeServer, fake_files: FakeFiles, kind: type[Any]
) -> None:
    """What the progress callback raises comes through; the piece before it counts as sent."""

    def stop(_sent: int, _size: int) -> None:
        raise StoppedError

    job = Upload(bytes(30), "n.bin")
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(StoppedError):
            client.call_method("upload_file", job, chunk_size=10, progress=stop)
        assert job.sent == 10
        client.call_method("upload_file", job, chunk_size=10)
    assert fake_files.chunk_count == 3


async def test_a_cancelled_upload_leaves_nothing_open(
    gateway: FakeServer, fake_files: FakeFiles
) -> None:
    """Cancelling during a piece closes the connection, and the upload can go on."""
    fake_files.actions = [None, Stall()]
    job = Upload(bytes(30), "n.bin")
    async with AsyncGateway(server_settings(gateway)) as client:
        task = asyncio.create_task(client.upload_file(job, chunk_size=10))
        while fake_files.chunk_count < 2:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gateway.open_connections == 0
        await client.upload_file(job, chunk_size=10)
    assert len(fake_files.content) == 30
