"""Law: progress is told as it was wished, shows where somebody looks, and leaves nothing behind."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.gateways import BOTH_GATEWAYS, settings_of
from tests.core.loopback import TOKEN
from tests.core.twins import hands
from xai_lowcode._internal.progress import shown, track
from xai_lowcode.api.deferred import poll
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import UsageError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Sleep
from xai_lowcode.protocol.urls import UrlFormatSelector
from xai_lowcode.types.requests import PollingOptions

both = pytest.mark.parametrize("kind", BOTH_GATEWAYS)
WRONG: list[Any] = [1, 0, "yes", [], object()]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes rich take standard error for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")


async def coming(items: list[Any]) -> AsyncIterator[Any]:
    """Items that are awaited."""
    for item in items:
        await asyncio.sleep(0)
        yield item


async def gathered(items: Any) -> list[Any]:
    """What ``async for`` gives."""
    return [item async for item in items]


@given(st.lists(st.integers(), max_size=20), st.none() | st.integers(0, 30))
def test_tracked_items_are_the_items(items: list[int], total: int | None) -> None:
    """Sync and async, all items come in order, and each is told when it comes."""
    told: list[Any] = []

    def tell(done: int, whole: int | None) -> None:
        told.append((done, whole))

    whole = len(items) if total is None else total
    expected = [(number, whole) for number in range(1, len(items) + 1)]
    assert list(track(items, total=total, progress=tell)) == items
    assert told == expected
    told.clear()
    assert asyncio.run(gathered(track(items, total=total, progress=tell))) == items
    assert told == expected
    told.clear()
    assert asyncio.run(gathered(track(coming(items), total=total, progress=tell))) == items
    assert told == [(number, total) for number in range(1, len(items) + 1)]


def test_what_is_awaited_is_not_for_for() -> None:
    """An async source in a plain loop is refused in a sentence."""
    with pytest.raises(UsageError, match="async for"):
        list(track(coming([1])))


@pytest.mark.parametrize("wrong", WRONG)
@both
def test_other_wishes_are_refused_before_anything_is_sent(
    emulator: Emulator, kind: type[Any], wrong: Any
) -> None:
    """Neither True nor a function: refused, naming the field, wherever it is said."""
    with hands(kind, settings_of(emulator)) as client:
        for call in (
            lambda: client.say("upload_file", b"x", name="a", progress=wrong),
            lambda: client.say("download_file", "file_1", progress=wrong),
            lambda: PollingOptions(progress=wrong),
            lambda: track([], progress=wrong),
        ):
            with pytest.raises(UsageError, match="True or a function") as refusal:
                call()
            assert refusal.value.field == "progress"
    assert emulator.requests == []


@both
def test_a_download_is_told_before_and_after(emulator: Emulator, kind: type[Any]) -> None:
    """First nothing of the whole, then the whole; of xAI's text the size is not known before."""
    text = b"Some notes.\n" * 1000
    file_id = emulator.add_file("notes.txt", text, "text/plain")
    told: list[Any] = []

    def tell(done: int, whole: int | None) -> None:
        told.append((done, whole))

    with hands(kind, settings_of(emulator)) as client:
        assert client.say("download_file", file_id, progress=tell).content == text
        assert told == [(0, len(text)), (len(text), len(text))]
        told.clear()
        content = client.say("download_file", file_id, as_text=True, progress=tell).content
        assert told == [(0, None), (len(content), len(content))]


@both
@pytest.mark.usefixtures("terminal")
def test_a_terminal_sees_it(
    emulator: Emulator, kind: type[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Upload, download, waiting and batch are drawn on standard error; standard output is clean."""
    with hands(kind, settings_of(emulator)) as client:
        record = client.say("upload_file", b"x" * 2_500_000, name="[b]a.bin", progress=True)
        seen = drawn(capsys)
        assert all(word in seen for word in ("[b]a.bin", "2.5/2.5 MB"))
        emulator.downloads = "intact"
        client.say("download_file", record.id, progress=True)
        seen = drawn(capsys)
        assert all(word in seen for word in ("[b]a.bin", "2.5/2.5 MB"))
    list(track("abc", label="letters"))
    seen = drawn(capsys)
    assert all(word in seen for word in ("letters", "3/3"))
    with closing(waiting(PollingOptions(progress=True))) as flow:
        assert isinstance(next(flow), Sleep)
        flow.send(None)
    seen = drawn(capsys)
    assert all(word in seen for word in ("deferred answer", "0 looks"))


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("wish", [False, None])
def test_silence_is_the_default(wish: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the wish nothing is drawn on a terminal either."""
    with shown(wish, "a.bin", "bytes") as report:
        report(1, 2)
    assert "".join(capsys.readouterr()) == ""


def test_elsewhere_it_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    """In pipes and files nothing is written, and no thread is begun."""
    before = threading.active_count()
    seen = True
    with shown(seen, "a.bin", "bytes") as report:
        report(1, 2)
        assert threading.active_count() == before
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.usefixtures("terminal")
def test_without_rich_it_is_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the extra is not installed the work goes on unseen."""
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert list(track("abc")) == ["a", "b", "c"]
    assert "".join(capsys.readouterr()) == ""


@both
@pytest.mark.usefixtures("terminal")
def test_an_interruption_takes_the_bar_away(
    emulator: Emulator, kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who interrupts a waiting gets the cursor back at once, also if the exception is kept."""

    def interrupt(*_: Any) -> Any:
        raise KeyboardInterrupt

    with hands(kind, settings_of(emulator)) as client:
        before = set(threading.enumerate())
        monkeypatch.setattr("xai_lowcode.transport.sync_client.sleep", interrupt)
        monkeypatch.setattr("xai_lowcode.transport.async_client.asyncio.sleep", interrupt)
        with pytest.raises(KeyboardInterrupt) as kept:
            client.say("poll_deferred_completion", "r", PollingOptions(progress=True))
        # rich tells its thread to end, and does not wait for it.
        for thread in set(threading.enumerate()) - before:
            thread.join(1)
            assert not thread.is_alive()
        assert kept.value.__traceback__ is not None


NOTEBOOK = """
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
shell.kernel = object()  # what tells a notebook from a terminal
with capture_output() as seen:
    shell.run_cell('''
from xai_lowcode._internal.progress import shown, track
from xai_lowcode.protocol.retry import RetryPolicy
list(track("abc", label="<b>letters"))
with shown(True, "a.bin", "bytes") as report:
    report(0, 2_000_000)
with shown(True, "deferred answer", "looks") as report:
    report(2, 3.4)
''')
for output in seen.outputs:
    print(output.data["text/plain"], "|", output.data["text/html"])
"""


def test_a_notebook_sees_it() -> None:
    """In a kernel each is a line with a bar, if there is a whole, and its words are no markup."""
    done = subprocess.run(
        [sys.executable, "-c", NOTEBOOK],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, "IPYTHONDIR": os.devnull},
    )
    assert "<b>letters: 3 of 3 | <div><progress" in done.stdout
    assert "&lt;b&gt;letters: 3 of 3</div>" in done.stdout
    assert 'value="100"' in done.stdout
    assert "a.bin: 0.0 of 2.0 MB" in done.stdout
    assert "deferred answer: 2 looks, 3 s | <div>deferred" in done.stdout


def drawn(capsys: pytest.CaptureFixture[str]) -> str:
    """What was drawn on standard error since the last look; nothing is on standard output."""
    out, err = capsys.readouterr()
    assert out == ""
    return err


def waiting(deferral: PollingOptions) -> Any:
    """A flow that waits for an answer that is not there."""
    session = CallContext(RetryPolicy(0), UrlFormatSelector("new"), TOKEN, lambda: 0.0, lambda: 0.5)
    return poll("r", deferral, session)
