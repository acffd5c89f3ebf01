"""Law: what is no file, or another than before, is refused; reading one never holds the loop."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_files import FakeFiles, stored
from tests.core.fake_server import Drop, FakeServer
from tests.core.sync_async import open_client
from xai_lowcode.api.client import AsyncGateway
from xai_lowcode.api.files import Upload
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, UsageError

both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


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
    gateway: FakeServer, tmp_path: Path, kind: type[Any], make: Callable[[Path], None]
) -> None:
    """A file that is missing, empty or none is refused before anything is sent."""
    path = tmp_path / "f.bin"
    make(path)
    with open_client(kind, server_settings(gateway)) as client:
        for source in (path, str(path), Upload(path)):
            with pytest.raises(UsageError) as refusal:
                client.call_method("upload_file", source)
            assert refusal.value.field == "source"
            assert "f.bin" in str(refusal.value)
    assert gateway.requests == []


@both
def test_a_file_that_may_not_be_read_goes_nowhere(
    gateway: FakeServer, tmp_path: Path, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing rights are found out before the upload begins, as an error of ours."""
    path = tmp_path / "f.bin"
    path.write_bytes(b"x")

    def refuse(*_args: Any, **_options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    settings = server_settings(gateway)
    with (
        open_client(kind, settings) as client,
        pytest.raises(UsageError, match="Permission denied"),
    ):
        client.call_method("upload_file", path)
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
        ({"source": "a\x00b"}, "source"),
    ],
)
def test_bad_wishes_go_nowhere(
    gateway: FakeServer, kind: type[Any], values: dict[str, Any], field: str
) -> None:
    """No name, no bytes, no size of a piece, an impossible name or path: refused by name."""
    source = values.pop("source")
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError) as refusal,
    ):
        client.call_method("upload_file", source, **values)
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
    gateway: FakeServer,
    fake_files: FakeFiles,
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
        fake_files.actions = [None, Drop()]
    with open_client(kind, server_settings(gateway)) as client:
        if resumed:
            with pytest.raises(APIConnectionError):
                client.call_method("upload_file", job, chunk_size=10)
            change(path)
        asked = list(fake_files.endpoints)
        with pytest.raises(UsageError) as refusal:
            client.call_method("upload_file", job, chunk_size=10, progress=lambda *_: change(path))
        assert refusal.value.field == "source"
    assert fake_files.chunk_count == (2 if resumed else 1)
    if resumed:
        assert fake_files.endpoints == asked


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
    async with AsyncGateway(emulator_settings(emulator)) as gateway:
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
    async with AsyncGateway(emulator_settings(emulator)) as gateway:
        await asyncio.gather(gateway.upload_file(job), turn())
    assert job.turned
