"""No crash report shows the token, whatever fails and wherever.

A crash is an unexpected exception: a defect, an interruption, no memory left. Crash reporters show
the variables of all frames, also of httpcore's.
"""

from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import pytest

from tests.secrecy.canary import CANARY, SPELLINGS
from tests.secrecy.channels import observe_channels
from tests.secrecy.paths import PATHS, PathContext
from tests.secrecy.reports import PROGRAMS, run_crashing_program
from xai_lowcode.emulator import Emulator

pytestmark = pytest.mark.slow

# By phase of a call: the functions that the sync and the async client call.
PHASES: dict[str, tuple[str, ...]] = {
    "connecting": ("httpcore.SyncBackend.connect_tcp", "httpcore.AnyIOBackend.connect_tcp"),
    "writing": (
        "httpcore._backends.sync.SyncStream.write",
        "httpcore._backends.anyio.AnyIOStream.write",
    ),
    "reading": (
        "httpcore._backends.sync.SyncStream.read",
        "httpcore._backends.anyio.AnyIOStream.read",
    ),
    "decoding": ("xai_lowcode._internal.json.loads", "xai_lowcode._internal.json.loads_chunk"),
}
EXCEPTIONS = (RuntimeError, KeyboardInterrupt, MemoryError)
CRASHING_PATHS = (
    "gateway upload_file",
    "injected client",
    "core chat_completions generate",
    "core responses agenerate",
    "core messages stream",
    "core chat_completions astream",
    "core deferred",
    "langchain chat_completions ainvoke",
    "langchain responses stream",
    "llama_index chat",
    "llama_index astream_chat",
    "command chat Hi",
)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("path", CRASHING_PATHS)
def test_no_report_of_a_crash_shows_the_token(
    emulator: Emulator, path: str, phase: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables of frames, causes, logs and prints do not have it."""
    for exception in EXCEPTIONS:
        emulator.reset()
        with observe_channels() as observer:
            context = PathContext(CANARY, emulator.base_url, observer, tmp_path)
            with monkeypatch.context() as patch:
                for function in PHASES[phase]:
                    patch.setattr(function, _raise_exception(exception))
                crash = _crash(PATHS[path], context)
            if crash is None:
                assert path.startswith("command")
            else:
                observer.error(crash)
        assert observer.channels_with(*SPELLINGS) == [], exception


def _raise_exception(exception: type[BaseException]) -> Callable[..., Any]:
    def fail(*_args: Any, **_more: Any) -> Any:
        raise exception

    return fail


def _crash(path: Callable[[PathContext], None], context: PathContext) -> BaseException | None:
    try:
        path(context)
    except BaseException as crash:  # noqa: BLE001 - interruptions too
        return crash
    return None


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_that_crashes_shows_the_token(
    emulator: Emulator, name: str, tmp_path: File
) -> None:
    """The output has a report with the variables of all frames, and no token but in a leak."""
    emulator.reset()
    program, expected_code = PROGRAMS[name]
    text, code = run_crashing_program(program, CANARY, emulator.base_url, tmp_path)
    assert code == expected_code, text
    assert "unexpected failure" in text or "Fatal Python error: Aborted" in text
    assert any(spelling in text for spelling in SPELLINGS) == (name == "a leak")
