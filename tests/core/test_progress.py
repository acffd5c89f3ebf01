"""Progress of uploads, downloads and polling: callbacks, tqdm bars, and invalid arguments."""

import sys
from contextlib import closing
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings
from tests.core.fake_server import TOKEN
from tests.core.sync_async import open_client
from xai_lowcode._internal.progress import open_progress
from xai_lowcode.api.deferred import poll
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import UsageError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Sleep
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.types.requests import PollingOptions

both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)
INVALID: list[Any] = [1, 0, "yes", [], object()]


@pytest.mark.parametrize("invalid", INVALID)
@both_clients
def test_invalid_values_raise_before_anything_is_sent(
    emulator: Emulator, kind: type[Any], invalid: Any
) -> None:
    """A value that is neither a boolean nor a function raises an error that names the field."""
    with open_client(kind, emulator_settings(emulator)) as client:
        for call in (
            lambda: client.call_method("upload_file", b"x", name="a", progress=invalid),
            lambda: client.call_method("download_file", "file_1", progress=invalid),
            lambda: PollingOptions(progress=invalid),
        ):
            with pytest.raises(UsageError, match="True or a function") as raised:
                call()
            assert raised.value.field == "progress"
    assert emulator.requests == []


@both_clients
def test_a_download_is_reported_at_start_and_end(emulator: Emulator, kind: type[Any]) -> None:
    """The callback receives 0 and the total at the end; the size of extracted text is unknown."""
    text = b"Some notes.\n" * 1000
    file_id = emulator.add_file("notes.txt", text, "text/plain")
    calls: list[Any] = []

    def record(completed: int, total: int | None) -> None:
        calls.append((completed, total))

    with open_client(kind, emulator_settings(emulator)) as client:
        assert client.call_method("download_file", file_id, progress=record).content == text
        assert calls == [(0, len(text)), (len(text), len(text))]
        calls.clear()
        content = client.call_method(
            "download_file", file_id, as_text=True, progress=record
        ).content
        assert calls == [(0, None), (len(content), len(content))]


@both_clients
def test_true_shows_a_bar(
    emulator: Emulator, kind: type[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Uploads, downloads and polling show a bar on standard error, nothing on standard output."""
    with open_client(kind, emulator_settings(emulator)) as client:
        record = client.call_method("upload_file", b"x" * 2_500_000, name="a.bin", progress=True)
        assert "a.bin: 100%" in (output := written_to_stderr(capsys))
        assert "2.50M/2.50M" in output
        emulator.downloads = "intact"
        client.call_method("download_file", record.id, progress=True)
        assert "2.50M/2.50M" in written_to_stderr(capsys)
    with closing(start_polling(PollingOptions(progress=True))) as flow:
        assert isinstance(next(flow), Sleep)
        flow.send(None)
    assert "deferred completion: 0polls" in written_to_stderr(capsys)


@pytest.mark.parametrize("progress", [False, None])
def test_nothing_is_shown_by_default(progress: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Without ``progress=True`` nothing is written."""
    with open_progress(progress, "a.bin", "B") as report:
        report(1, 2)
    assert "".join(capsys.readouterr()) == ""


def test_without_tqdm_the_error_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """``progress=True`` without tqdm raises an error; a callback does not need tqdm."""
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(UsageError, match="pip install tqdm"):
        PollingOptions(progress=True)
    PollingOptions(progress=print)


@both_clients
def test_an_interruption_closes_the_bar(
    emulator: Emulator,
    kind: type[Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The bar is closed at once, also while the exception is referenced."""

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    with open_client(kind, emulator_settings(emulator)) as client:
        monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", interrupt)
        monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt) as raised:
            client.call_method("poll_deferred_completion", "r", PollingOptions(progress=True))
        assert written_to_stderr(capsys).endswith("\n")
        assert raised.value.__traceback__ is not None


def written_to_stderr(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was written to standard error since the last call; standard output is empty."""
    out, err = capsys.readouterr()
    assert out == ""
    return err


def start_polling(options: PollingOptions) -> Any:
    """Return a flow that polls for a completion that never becomes ready."""
    context = CallContext(RetryPolicy(0), UrlFormatSelector("new"), TOKEN, lambda: 0.0, lambda: 0.5)
    return poll("r", options, context)
