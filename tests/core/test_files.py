"""Law: what is uploaded arrives once and whole; what is downloaded is the file, or an error.

Pieces are counted where they arrive: in the emulator's store, or on the scripted server.
"""

import asyncio
import base64
import json
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.gateways import BOTH_GATEWAYS, settings_for, settings_of
from tests.core.loopback import TOKEN, Drop, Loopback, Move, Reply, Request, Stall, json_reply
from tests.core.twins import Pauses, hands
from tests.core.wire import ENVELOPES, refused
from xai_lowcode import emulator as emulation
from xai_lowcode import files
from xai_lowcode.addresses import UrlForms
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    DamagedFileError,
    NotFoundError,
    RateLimitError,
    UnreadableAnswerError,
    UsageError,
)
from xai_lowcode.exchange import Answer, Send, Session, Work
from xai_lowcode.files import FileContent, Upload, upload
from xai_lowcode.gateway import AsyncGateway
from xai_lowcode.operations import INITIALIZE_UPLOAD, UPLOAD_CHUNK
from xai_lowcode.records import FileRecord
from xai_lowcode.retry import RetryPolicy

both = pytest.mark.parametrize("kind", BOTH_GATEWAYS)


@pytest.fixture(scope="module")
def _server() -> Iterator[Emulator]:
    with running() as emulator:
        yield emulator


@pytest.fixture
def emulator(_server: Emulator) -> Emulator:
    """A gateway with xAI behind it, as good as new."""
    _server.reset()
    return _server


def stored(emulator: Emulator) -> bytes:
    """The one file that is there."""
    (file,) = emulator.store.files.values()
    return bytes(file.content)


# Uploads.


class Shelf:
    """A tiny xAI by hand: it keeps pieces, and answers each as the test says."""

    def __init__(self) -> None:
        self.content = b""
        self.asked: list[str] = []
        self.next: list[Move | None] = []

    def __call__(self, request: Request) -> Move:
        """Takes a request; None in ``next`` is a proper answer, anything else comes in its place.

        A piece has arrived in any case.
        """
        what = request.target.partition("?")[0].rpartition("/")[2]
        self.asked.append(what)
        if what == "files:initialize":
            return json_reply({"file_id": "file_1"})
        if what == "files:uploadChunks":
            self.content += base64.b64decode(request.json["chunk"])
        instead = self.next.pop(0) if self.next and what != "file_1" else None
        return instead or json_reply(
            {"file_id": "file_1", "name": "n", "size_bytes": str(len(self.content))}
        )

    @property
    def pieces(self) -> int:
        """How many pieces came."""
        return self.asked.count("files:uploadChunks")


@pytest.fixture
def shelf(gateway: Loopback) -> Shelf:
    """The tiny xAI, behind the scripted server."""
    gateway.play = shelf = Shelf()
    return shelf


def by_hand(source: Any, **options: Any) -> tuple[bytes, list[tuple[int, int]], list[int]]:
    """Drives an upload without a network: what arrived, what was told, how long pieces were."""
    arrived, told, lengths = b"", list[tuple[int, int]](), list[int]()
    session = Session(RetryPolicy(), UrlForms(), TOKEN, lambda: 0.0, lambda: 0.5)
    steps = upload(session, source, progress=lambda *facts: told.append(facts), **options)
    outcome: Any = None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Work):
                outcome = step.run()
                continue
            assert isinstance(step, Send)
            body: dict[str, Any] = json.loads(step.call.body or b"")
            document: dict[str, Any] = {"file_id": "f"}
            if step.call.operation is UPLOAD_CHUNK:
                piece = base64.b64decode(body["chunk"], validate=True)
                lengths.append(len(piece))
                arrived += piece
                document["size_bytes"] = str(len(arrived))
            outcome = Answer(200, {}, json.dumps(document).encode())
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
    with hands(kind, settings_of(emulator)) as gateway:
        for source, name in ((path, ""), (str(path), "other.pdf"), (path.read_bytes(), "b.pdf")):
            emulator.reset()
            emulator.envelope = how
            told.clear()
            record = gateway.say(
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
            assert gateway.say("get_file", record.id).size == 768


@both
@pytest.mark.parametrize("name", ["x", "x.unheard-of", "x.tar.gz", "x.TXT"])
def test_the_type_is_told(emulator: Emulator, kind: type[Any], name: str) -> None:
    """A type is given always: the user's, that of the name, or the one for bytes."""
    with hands(kind, settings_of(emulator)) as gateway:
        record = gateway.say("upload_file", b"x", name=name)
        assert record.content_type
        assert gateway.say("upload_file", b"x", name=name, content_type="a/b").content_type == "a/b"


LOSSES: dict[str, tuple[Move, type[Exception]]] = {
    "dropped": (Drop(), APIConnectionError),
    "cut": (Reply(b'{"file', cut=True), APIConnectionError),
    "silence": (Stall(), APITimeoutError),
    "html": (Reply(b"<html>x</html>", 502, "text/html"), APIStatusError),
    "nonsense": (Reply(b"nonsense"), UnreadableAnswerError),
    "rate": (json_reply(refused({"error": "slow"}), 429), RateLimitError),
}


@both
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_piece_that_arrived_is_not_sent_twice(
    gateway: Loopback, shelf: Shelf, pauses: Pauses, kind: type[Any], loss: str, at: int
) -> None:
    """An answer that is lost ends the upload; given again it goes on where xAI says."""
    content, told = bytes(range(30)), list[int]()
    job = Upload(content, "n.bin")
    move, error = LOSSES[loss]
    shelf.next = [*[None] * at, move]
    options: dict[str, Any] = {"chunk_size": 10, "progress": lambda sent, _: told.append(sent)}
    patience = 0.3 if loss == "silence" else 30
    with hands(kind, settings_for(gateway, max_retries=5, timeout=patience)) as client:
        with pytest.raises(error) as raised:
            client.say("upload_file", job, **options)
        assert shelf.pieces == at + 1
        (note,) = raised.value.__notes__
        assert note.startswith(f"{10 * at} of 30 bytes of n.bin were sent as file_1")
        assert (job.file_id, job.sent, job.size) == ("file_1", 10 * at, 30)
        job = pickle.loads(pickle.dumps(job))  # noqa: S301 - just written
        record = client.say("upload_file", job, **options)
    assert shelf.content == content
    assert shelf.asked.count("files:initialize") == 1
    assert shelf.pieces == 3
    assert record.size == 30
    assert job.sent == 30
    # The piece whose answer was lost is told by nobody, unless another follows it.
    assert told == [10 * (end + 1) for end in range(3) if end != at]
    assert pauses == []
    assert gateway.open_connections == 0


@both
def test_an_upload_goes_on_inside_a_piece(gateway: Loopback, kind: type[Any]) -> None:
    """Where xAI has part of a piece, the rest of it is sent and no byte more."""
    gateway.play = shelf = Shelf()
    shelf.content = bytes(range(13))
    job = Upload(bytes(range(30)), "n.bin", file_id="file_1", sent=20, size=30)
    with hands(kind, settings_for(gateway)) as client:
        client.say("upload_file", job, chunk_size=10)
    assert shelf.content == bytes(range(30))
    assert shelf.pieces == 2


@both
def test_a_finished_upload_sends_nothing(gateway: Loopback, shelf: Shelf, kind: type[Any]) -> None:
    """An upload that is given once more after its end returns the record."""
    job = Upload(b"abc", "n.bin")
    with hands(kind, settings_for(gateway)) as client:
        for _ in range(2):
            assert client.say("upload_file", job).size == 3
    assert shelf.content == b"abc"
    assert shelf.asked == ["files:initialize", "files:uploadChunks", "file_1"]


@both
@pytest.mark.parametrize("record", [{"id": "file_1"}, {"id": "file_1", "bytes": 31}])
def test_an_upload_that_cannot_go_on(
    gateway: Loopback, kind: type[Any], record: dict[str, Any]
) -> None:
    """When xAI does not tell how much arrived, or tells of more than there is, nothing is sent."""
    gateway.script([json_reply(record)])
    job = Upload(bytes(30), "n.bin", file_id="file_1", sent=10, size=30)
    with hands(kind, settings_for(gateway)) as client, pytest.raises(UsageError):
        client.say("upload_file", job)
    assert len(gateway.requests) == 1


def nothing(path: Path) -> None:
    del path


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def folded(path: Path) -> None:
    path.mkdir()


def piped(path: Path) -> None:
    os.mkfifo(path)


@both
@pytest.mark.parametrize("make", [nothing, emptied, folded, piped])
def test_what_is_no_file_goes_nowhere(
    gateway: Loopback, tmp_path: Path, kind: type[Any], make: Callable[[Path], None]
) -> None:
    """A file that is missing, empty or none is refused before anything is sent."""
    path = tmp_path / "f.bin"
    make(path)
    with hands(kind, settings_for(gateway)) as client:
        for source in (path, str(path), Upload(path)):
            with pytest.raises(UsageError) as refusal:
                client.say("upload_file", source)
            assert refusal.value.field == "source"
            assert "f.bin" in str(refusal.value)
    assert gateway.requests == []


@both
def test_a_file_that_may_not_be_read_goes_nowhere(
    gateway: Loopback, tmp_path: Path, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing rights are found out before the upload begins, as an error of ours."""
    path = tmp_path / "f.bin"
    path.write_bytes(b"x")

    def refuse(*_args: Any, **_options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    settings = settings_for(gateway)
    with hands(kind, settings) as client, pytest.raises(UsageError, match="Permission denied"):
        client.say("upload_file", path)
    assert gateway.requests == []


@both
@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"source": b""}, "name"),
        ({"source": b"", "name": "n"}, "source"),
        ({"source": b"x"}, "name"),
        ({"source": b"x", "name": "n", "chunk_size": 0}, "chunk_size"),
        ({"source": b"x", "name": "n", "chunk_size": -5}, "chunk_size"),
        ({"source": b"x", "name": "\ud800"}, "name"),
        ({"source": "a\x00b"}, "source"),
    ],
)
def test_bad_wishes_go_nowhere(
    gateway: Loopback, kind: type[Any], values: dict[str, Any], field: str
) -> None:
    """No name, no bytes, no size of a piece, an impossible name or path: refused by name."""
    source = values.pop("source")
    with hands(kind, settings_for(gateway)) as client, pytest.raises(UsageError) as refusal:
        client.say("upload_file", source, **values)
    values["source"] = source
    assert refusal.value.field == field
    assert gateway.requests == []


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def shrunk(path: Path) -> None:
    path.write_bytes(b"less")


def touched(path: Path) -> None:
    facts = path.stat()
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1_000_000))


def replaced(path: Path) -> None:
    facts, other = path.stat(), path.with_suffix(".other")
    other.write_bytes(bytes(facts.st_size))
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    other.replace(path)


def gone(path: Path) -> None:
    path.unlink()


@both
@pytest.mark.parametrize("change", [grown, shrunk, touched, replaced, gone, emptied])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_file_that_changes_is_not_sent_further(
    gateway: Loopback,
    shelf: Shelf,
    tmp_path: Path,
    kind: type[Any],
    change: Callable[[Path], None],
    resumed: bool,
) -> None:
    """After a change, during the upload or before it goes on, no further piece leaves."""
    path = tmp_path / "f.bin"
    path.write_bytes(bytes(30))
    job = Upload(path)
    if resumed:
        shelf.next = [None, Drop()]
    with hands(kind, settings_for(gateway)) as client:
        if resumed:
            with pytest.raises(APIConnectionError):
                client.say("upload_file", job, chunk_size=10)
            change(path)
        asked = list(shelf.asked)
        with pytest.raises(UsageError) as refusal:
            client.say("upload_file", job, chunk_size=10, progress=lambda *_: change(path))
        assert refusal.value.field == "source"
    assert shelf.pieces == (2 if resumed else 1)
    if resumed:
        assert shelf.asked == asked


def test_bytes_that_change_are_another_upload() -> None:
    """An upload whose bytes have another length than before is refused."""
    job = Upload(b"abc", "n", size=4, file_id="f")
    with pytest.raises(UsageError, match="changed"):
        job.open()


class ThreadsSeen:
    """In which threads files were opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: list[int] = []
        really = Path.open

        def watched(path: Path, *args: Any, **options: Any) -> Any:
            self.seen.append(threading.get_ident())
            return really(path, *args, **options)

        monkeypatch.setattr(Path, "open", watched)


async def test_files_are_read_off_the_loop(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An async upload looks at its file and reads it in another thread than the loop's."""
    threads = ThreadsSeen(monkeypatch)
    looked: list[int] = []
    really = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if path.name == "f.bin":
            looked.append(threading.get_ident())
        return really(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    path = tmp_path / "f.bin"
    await asyncio.to_thread(path.write_bytes, bytes(30))
    threads.seen.clear()
    async with AsyncGateway(settings_of(emulator)) as gateway:
        await gateway.upload_file(path, chunk_size=10)
    assert len(threads.seen) >= 3
    assert len(looked) >= 3
    assert threading.get_ident() not in {*threads.seen, *looked}
    assert stored(emulator) == bytes(30)


async def test_a_slow_file_does_not_hold_the_loop(emulator: Emulator) -> None:
    """While a source blocks, the loop goes on."""

    class Slow(Upload):
        """Blocks until the loop has turned."""

        def read(self, length: int) -> bytes:
            self.turned = released.wait(10)
            return super().read(length)

    async def turn() -> None:
        await asyncio.sleep(0.01)
        released.set()

    released = threading.Event()
    job = Slow(b"abc", "n.bin")
    async with AsyncGateway(settings_of(emulator)) as gateway:
        await asyncio.gather(gateway.upload_file(job), turn())
    assert job.turned


class StoppedError(Exception):
    """Raised by a callback."""


@both
def test_a_callback_can_stop_an_upload(gateway: Loopback, shelf: Shelf, kind: type[Any]) -> None:
    """What the progress callback raises comes through; the piece before it counts as sent."""

    def stop(_sent: int, _size: int) -> None:
        raise StoppedError

    job = Upload(bytes(30), "n.bin")
    with hands(kind, settings_for(gateway)) as client:
        with pytest.raises(StoppedError):
            client.say("upload_file", job, chunk_size=10, progress=stop)
        assert job.sent == 10
        client.say("upload_file", job, chunk_size=10)
    assert shelf.pieces == 3


async def test_a_cancelled_upload_leaves_nothing_open(gateway: Loopback, shelf: Shelf) -> None:
    """Cancelling during a piece closes the connection, and the upload can go on."""
    shelf.next = [None, Stall()]
    job = Upload(bytes(30), "n.bin")
    async with AsyncGateway(settings_for(gateway)) as client:
        task = asyncio.create_task(client.upload_file(job, chunk_size=10))
        while shelf.pieces < 2:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gateway.open_connections == 0
        await client.upload_file(job, chunk_size=10)
    assert len(shelf.content) == 30


# Colon endpoints.


@both
def test_the_first_colon_route_is_told(emulator: Emulator, kind: type[Any]) -> None:
    """Where one colon endpoint takes all, the error says which one seems to have answered."""
    emulator.colon_routes = "first_wins"
    with hands(kind, settings_of(emulator)) as gateway:
        with pytest.raises(BadRequestError) as raised:
            gateway.say("upload_file", b"abc", name="n")
        assert "Initialize File Upload answered instead" in raised.value.__notes__[0]
        assert [request.reached for request in emulator.requests] == ["/v1/files:initialize"] * 2
        # Of a batch the old form reaches the right place.
        emulator.url_forms = "both"
        batch = gateway.say("batch_upload", {"files": []}).batch_job_id
        assert gateway.say("complete_batch_upload", batch).batch_job_id == batch


SHAPES = [
    (UPLOAD_CHUNK, {"file_id": "f", "metadata": {}}, "looks like that of Initialize File Upload"),
    (UPLOAD_CHUNK, {"file_id": "f"}, "looks like that of Initialize File Upload"),
    (
        INITIALIZE_UPLOAD,
        {"file_id": "f", "size_bytes": "3", "upload_status": "Complete"},
        "looks like that of Upload File Chunk",
    ),
]


@both
@pytest.mark.parametrize(("operation", "body", "words"), SHAPES)
def test_the_shape_of_a_colon_answer_is_checked(
    gateway: Loopback, kind: type[Any], operation: Any, body: dict[str, Any], words: str
) -> None:
    """A success with the shape of the other endpoint is no success."""
    gateway.play = lambda _request: json_reply(body)
    with hands(kind, settings_for(gateway)) as client:
        with pytest.raises(UnreadableAnswerError, match=words):
            client.call(operation, body={})
        if operation is INITIALIZE_UPLOAD:
            with pytest.raises(UnreadableAnswerError, match=words):
                client.say("upload_file", b"abc", name="n")


@both
def test_the_other_order_is_told(gateway: Loopback, kind: type[Any]) -> None:
    """Where Upload File Chunk takes all, the first step of an upload says so."""
    text = "Failed to deserialize the JSON body into the target type: missing field `file_id`"
    gateway.play = lambda _request: json_reply(refused({"error": text}), 422)
    with hands(kind, settings_for(gateway)) as client, pytest.raises(BadRequestError) as raised:
        client.say("upload_file", b"abc", name="n")
    assert "Upload File Chunk answered instead" in raised.value.__notes__[0]


@both
@pytest.mark.parametrize("operation", [UPLOAD_CHUNK, INITIALIZE_UPLOAD], ids=lambda o: o.name)
def test_a_piece_adds_up_however_it_is_sent(
    gateway: Loopback, pauses: Pauses, kind: type[Any], operation: Any
) -> None:
    """Called by its row too, a piece is not sent again after a drop, on a kept connection or not.

    To begin an upload twice does no harm.
    """
    ready = json_reply({"file_id": "f", **({"bytes": 1} if operation is UPLOAD_CHUNK else {})})
    for warm in (False, True):
        gateway.script([*[ready] * warm, Drop(), ready, ready])
        with hands(kind, settings_for(gateway, max_retries=3)) as client:
            if warm:
                client.call(operation, body={})
            if operation is UPLOAD_CHUNK:
                with pytest.raises(APIConnectionError):
                    client.call(operation, body={})
            else:
                assert client.call(operation, body={}).file_id == "f"
        assert len(gateway.requests) == warm + (1 if operation is UPLOAD_CHUNK else 2)
    assert len(pauses) == (0 if operation is UPLOAD_CHUNK else 1)


# Downloads.

EVERY_BYTE = bytes(range(256))
INTACT: list[tuple[str, bytes, str]] = [
    ("a.txt", "Zeile é 中 \U0001f600\n".encode(), "text/plain"),
    ("a.csv", b"a,b\r\n1,2\r\n", "text/csv"),
    ("replaced.txt", "a \N{REPLACEMENT CHARACTER} of its own".encode(), "text/plain"),
    ("a.bin", b"plain ASCII in a binary", "application/octet-stream"),
    ("a.json", b'{"a":1,"b":[true,null,"\xc3\xa9"]}', "application/json"),
    ("a.json", b'{"a":1}', "application/octet-stream"),
    ("list.json", b"[1,2,3]", "application/octet-stream"),
    ("data.json", b'{"data":{"a":1}}', "application/json"),
    ("data.json", b'{"data":[1]}', "application/json"),
    ("result.json", b'{"result":{"a":1},"provider":"xai"}', "application/json"),
    ("error.json", b'{"error":"the content of a file"}', "application/json"),
    ("a.xml", b"<a>\xc3\xa9</a>", "application/xml"),
    ("not.json", b"{this is none", "application/json"),
    ("empty object.json", b"{}", "application/json"),
]


@both
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("passed", ["intact", "as_gateway"])
@pytest.mark.parametrize(("name", "content", "content_type"), INTACT)
def test_what_survives_is_given(
    emulator: Emulator,
    kind: type[Any],
    how: Any,
    passed: Any,
    name: str,
    content: bytes,
    content_type: str,
) -> None:
    """A file that the gateway does not change is given byte by byte, in every envelope."""
    emulator.envelope, emulator.downloads = how, passed
    file_id = emulator.add_file(name, content, content_type)
    with hands(kind, settings_of(emulator)) as gateway:
        found = gateway.say("download_file", file_id)
    assert found.content == content
    assert (found.record.id, found.record.name) == (file_id, name)
    assert repr(content) not in repr(found)


DAMAGED: list[tuple[str, bytes, str]] = [
    ("a.bin", EVERY_BYTE, "application/octet-stream"),
    ("a.pdf", b"%PDF-1.7\n\xe2\xe3\xcf\xd3", "application/pdf"),
    ("three.bin", b"ok\xf0\x9f\x98ok", "application/octet-stream"),  # replaced without a byte more
    ("latin.txt", "é".encode("latin-1"), "text/plain"),
    ("spaced.json", b'{"a": 1}\n', "application/octet-stream"),
    ("spaced.json", b'{"a": 1}\n', "application/json"),
    ("float.json", b'{"a":1.0}', "application/json"),
    ("escaped.json", b'{"a":"\\u00e9"}', "application/json"),
    ("twice.json", b'{"a":1,"a":2}', "application/json"),
    ("null.txt", b"null", "application/octet-stream"),
    ("number.txt", b"200", "application/octet-stream"),
]


@both
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize(("name", "content", "content_type"), DAMAGED)
def test_what_is_damaged_is_told(
    emulator: Emulator,
    kind: type[Any],
    how: Any,
    name: str,
    content: bytes,
    content_type: str,
) -> None:
    """A file that the gateway changes is an error with what came; unchanged it is given."""
    emulator.envelope = how
    file_id = emulator.add_file(name, content, content_type)
    with hands(kind, settings_of(emulator)) as gateway:
        with pytest.raises(DamagedFileError) as raised:
            gateway.say("download_file", file_id)
        assert raised.value.content != content
        assert name in str(raised.value)
        assert raised.value.maker == "gateway"
        again = pickle.loads(pickle.dumps(raised.value))  # noqa: S301 - just written
        assert again.content == raised.value.content
        emulator.downloads = "intact"
        assert gateway.say("download_file", file_id).content == content


@both
def test_the_same_document_of_the_same_length_passes(emulator: Emulator, kind: type[Any]) -> None:
    """JSON that was written anew and kept its length is given: nothing tells the two apart."""
    file_id = emulator.add_file("a.json", b'{"a":1e2}', "application/octet-stream")
    with hands(kind, settings_of(emulator)) as gateway:
        content = gateway.say("download_file", file_id).content
    assert json.loads(content) == {"a": 100}


@both
@pytest.mark.parametrize("record", [{"id": "f"}, {"id": "f", "filename": "a.txt"}])
def test_without_a_size_bytes_are_looked_at(
    gateway: Loopback, kind: type[Any], record: dict[str, Any]
) -> None:
    """Where the record has no size, replaced bytes still tell, unless the file is a text."""
    broken = "\N{REPLACEMENT CHARACTER}".encode()
    with hands(kind, settings_for(gateway)) as client:
        gateway.script([json_reply(record), Reply(b"fine", content_type="text/plain")])
        assert client.say("download_file", "f").content == b"fine"
        gateway.script([json_reply(record), Reply(broken, content_type="text/plain")])
        if "filename" in record:
            assert client.say("download_file", "f").content == broken
        else:
            with pytest.raises(DamagedFileError):
                client.say("download_file", "f")


@both
def test_the_text_of_a_file(emulator: Emulator, kind: type[Any]) -> None:
    """The text that xAI made of a file is asked for, and not measured by the file's length."""
    file_id = emulator.add_file("a.pdf", EVERY_BYTE, "application/pdf")
    with hands(kind, settings_of(emulator)) as gateway:
        found = gateway.say("download_file", file_id, as_text=True)
    assert "0123456789" in found.content.decode()
    assert emulator.requests[-1].query["format"] == "text"
    assert "format" not in emulator.requests[0].query


@both
@pytest.mark.parametrize("text", [b'{"data":{"a":1}}', b'"quoted"', b'{"result":1}', b"{"])
@pytest.mark.parametrize("size", [1, 6, 7, None])
def test_a_text_is_not_taken_for_an_envelope(
    gateway: Loopback, kind: type[Any], text: bytes, size: int | None
) -> None:
    """Whatever the file's length, a text that merely looks wrapped is given as it came."""
    record = json_reply({"id": "f", "filename": "a.txt", "bytes": size})
    with hands(kind, settings_for(gateway)) as client:
        gateway.script([record, Reply(text, content_type="text/plain")])
        assert client.say("download_file", "f", as_text=True).content == text
        wrapped_text = {"result": text.decode(), "provider": "xai"}
        gateway.script([record, json_reply(wrapped_text)])
        assert client.say("download_file", "f", as_text=True).content == text


@both
def test_a_download_that_fails(emulator: Emulator, pauses: Pauses, kind: type[Any]) -> None:
    """A missing file is a 404; a cut download is made again, for reading does no harm."""
    file_id = emulator.add_file("a.txt", b"text of a file", "text/plain")
    with hands(kind, settings_of(emulator)) as gateway:
        with pytest.raises(NotFoundError):
            gateway.say("download_file", "file_none")
        emulator.requests.clear()
        emulator.inject(emulation.CloseAfter(), emulation.CutBytes(4))
        assert gateway.say("download_file", file_id).content == b"text of a file"
        assert len(emulator.requests) == 3
    assert len(pauses) == 1


@both
def test_a_file_is_saved(emulator: Emulator, tmp_path: Path, kind: type[Any]) -> None:
    """What was fetched is written as it is, and the path comes back."""
    emulator.downloads = "intact"
    file_id = emulator.add_file("a.bin", EVERY_BYTE)
    with hands(kind, settings_of(emulator)) as gateway:
        found: FileContent = gateway.say("download_file", file_id)
    place = found.save(str(tmp_path / "there.bin"))
    assert place == tmp_path / "there.bin"
    assert place.read_bytes() == EVERY_BYTE


@given(st.binary(max_size=40), st.sampled_from(["a.bin", "a.txt", "a.json"]))
def test_nothing_damaged_is_given_as_good(content: bytes, name: str) -> None:
    """Whatever a gateway makes of the bytes: of another length, or replaced, they are an error."""
    mangled = content.decode("utf-8", "replace").encode()
    record = FileRecord.model_validate({"id": "f", "filename": name, "bytes": len(content)})
    found = files._without_envelope(mangled, record.size)
    reason = files._damage(found, record)
    if mangled == content:
        assert found == content
        assert reason is None or "\N{REPLACEMENT CHARACTER}".encode() in content
    elif len(mangled) != len(content) or name == "a.bin":
        assert reason is not None
