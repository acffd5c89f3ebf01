"""Upload sources: invalid or changed files raise, and reading does not block the event loop."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_files import FakeFiles, get_file_content
from tests.core.fake_server import Drop, FakeServer
from tests.core.sync_async import open_client
from xai_lowcode.api.client import AsyncGateway
from xai_lowcode.api.files import Upload
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import APIConnectionError, UsageError

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


def create_nothing(path: Path) -> None:
    del path


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def create_directory(path: Path) -> None:
    path.mkdir()


def create_pipe(path: Path) -> None:
    os.mkfifo(path)


@both_clients
@pytest.mark.parametrize("create", [create_nothing, write_nothing, create_directory, create_pipe])
def test_invalid_files_are_not_sent(
    gateway: FakeServer, tmp_path: Path, kind: type[Any], create: Callable[[Path], None]
) -> None:
    """A missing or empty file, a directory and a pipe raise an error before anything is sent."""
    path = tmp_path / "f.bin"
    create(path)
    with open_client(kind, server_settings(gateway)) as client:
        for source in (path, str(path), Upload(path)):
            with pytest.raises(UsageError) as raised:
                client.call_method("upload_file", source)
            assert raised.value.field == "source"
            assert "f.bin" in str(raised.value)
    assert gateway.requests == []


@both_clients
def test_an_unreadable_file_is_not_sent(
    gateway: FakeServer, tmp_path: Path, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing permission raises `UsageError` before anything is sent."""
    path = tmp_path / "f.bin"
    path.write_bytes(b"x")

    def raise_permission_error(*_args: Any, **_options: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", raise_permission_error)
    settings = server_settings(gateway)
    with (
        open_client(kind, settings) as client,
        pytest.raises(UsageError, match="Permission denied"),
    ):
        client.call_method("upload_file", path)
    assert gateway.requests == []


@both_clients
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
def test_invalid_arguments_are_not_sent(
    gateway: FakeServer, kind: type[Any], values: dict[str, Any], field: str
) -> None:
    """An invalid name, content, chunk size or path raises an error that names the argument."""
    source = values.pop("source")
    with (
        open_client(kind, server_settings(gateway)) as client,
        pytest.raises(UsageError) as raised,
    ):
        client.call_method("upload_file", source, **values)
    values["source"] = source
    assert raised.value.field == field
    assert gateway.requests == []


def extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def shorten(path: Path) -> None:
    path.write_bytes(b"less")


def touch(path: Path) -> None:
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


def replace(path: Path) -> None:
    status, copy = path.stat(), path.with_suffix(".other")
    copy.write_bytes(bytes(status.st_size))
    os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    copy.replace(path)


def delete(path: Path) -> None:
    path.unlink()


@both_clients
@pytest.mark.parametrize("change", [extend, shorten, touch, replace, delete, write_nothing])
@pytest.mark.parametrize("resumed", [False, True])
def test_a_changed_file_ends_the_upload(
    gateway: FakeServer,
    fake_files: FakeFiles,
    tmp_path: Path,
    kind: type[Any],
    change: Callable[[Path], None],
    resumed: bool,
) -> None:
    """No chunk is sent after the file has changed, during the upload or before it is continued."""
    path = tmp_path / "f.bin"
    path.write_bytes(bytes(30))
    upload = Upload(path)
    if resumed:
        fake_files.actions = [None, Drop()]
    with open_client(kind, server_settings(gateway)) as client:
        if resumed:
            with pytest.raises(APIConnectionError):
                client.call_method("upload_file", upload, chunk_size=10)
            change(path)
        endpoints = list(fake_files.endpoints)
        with pytest.raises(UsageError) as raised:
            client.call_method(
                "upload_file", upload, chunk_size=10, progress=lambda *_: change(path)
            )
        assert raised.value.field == "source"
    assert fake_files.chunk_count == (2 if resumed else 1)
    if resumed:
        assert fake_files.endpoints == endpoints


def test_changed_bytes_raise() -> None:
    """An upload whose bytes have another length than before raises an error."""
    upload = Upload(b"abc", "n", size=4, file_id="f")
    with pytest.raises(UsageError, match="changed"):
        upload.open()


class OpeningThreads:
    """The identifiers of the threads that opened files."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.identifiers: list[int] = []
        original = Path.open

        def open_and_record(path: Path, *args: Any, **options: Any) -> Any:
            self.identifiers.append(threading.get_ident())
            return original(path, *args, **options)

        monkeypatch.setattr(Path, "open", open_and_record)


async def test_files_are_read_in_another_thread(
    emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An async upload inspects and reads its file in another thread than the event loop."""
    threads = OpeningThreads(monkeypatch)
    stat_threads: list[int] = []
    original = Path.stat

    def stat(path: Path, **options: Any) -> Any:
        if path.name == "f.bin":
            stat_threads.append(threading.get_ident())
        return original(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    path = tmp_path / "f.bin"
    await asyncio.to_thread(path.write_bytes, bytes(30))
    threads.identifiers.clear()
    async with AsyncGateway(emulator_settings(emulator)) as gateway:
        await gateway.upload_file(path, chunk_size=10)
    assert len(threads.identifiers) >= 3
    assert len(stat_threads) >= 3
    assert threading.get_ident() not in {*threads.identifiers, *stat_threads}
    assert get_file_content(emulator) == bytes(30)


async def test_a_slow_file_does_not_block_the_event_loop(emulator: Emulator) -> None:
    """Other tasks run while reading a source blocks."""

    class SlowUpload(Upload):
        """Blocks until another task has run."""

        def read(self, length: int) -> bytes:
            self.loop_has_run = released.wait(10)
            return super().read(length)

    async def run_loop() -> None:
        await asyncio.sleep(0.01)
        released.set()

    released = threading.Event()
    upload = SlowUpload(b"abc", "n.bin")
    async with AsyncGateway(emulator_settings(emulator)) as gateway:
        await asyncio.gather(gateway.upload_file(upload), run_loop())
    assert upload.loop_has_run
