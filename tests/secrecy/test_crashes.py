"""Law: whatever fails inside, and wherever, no report of the crash shows the token.

Not the network's failures, which are errors of ours, but what nobody foresaw: a defect, an
interruption, no memory left. Reporters show variables of frames, httpcore's and ours.
"""

from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import pytest

from tests.secrecy.canary import CANARY, SPELLINGS
from tests.secrecy.channels import watched
from tests.secrecy.paths import PATHS, World
from tests.secrecy.reports import PROGRAMS, crashed
from xai_lowcode.emulator import Emulator

pytestmark = pytest.mark.slow

# What is called at that moment, by the sync and by the async client.
MOMENTS: dict[str, tuple[str, ...]] = {
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
ACCIDENTS = (RuntimeError, KeyboardInterrupt, MemoryError)
WALKED = (
    "word upload_file",
    "given client",
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


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("path", WALKED)
def test_no_report_of_a_crash_shows_the_token(
    emulator: Emulator, path: str, moment: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frames with their variables, causes, logs and prints are free of it."""
    for accident in ACCIDENTS:
        emulator.reset()
        with watched() as seen:
            world = World(CANARY, emulator.base_url, seen, tmp_path)
            with monkeypatch.context() as patch:
                for place in MOMENTS[moment]:
                    patch.setattr(place, _failing(accident))
                crash = _crash(PATHS[path], world)
            if crash is None:
                assert path.startswith("command")
            else:
                seen.error(crash)
        assert seen.sightings(*SPELLINGS) == [], accident


def _failing(accident: type[BaseException]) -> Callable[..., Any]:
    def fail(*_args: Any, **_more: Any) -> Any:
        raise accident

    return fail


def _crash(path: Callable[[World], None], world: World) -> BaseException | None:
    try:
        path(world)
    except BaseException as crash:  # noqa: BLE001 - interruptions too
        return crash
    return None


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_program_that_crashes_shows_the_token(
    emulator: Emulator, name: str, tmp_path: File
) -> None:
    """Its streams hold a report with the variables of all frames, and no token; but for a leak."""
    emulator.reset()
    program, code = PROGRAMS[name]
    text, ended = crashed(program, CANARY, emulator.base_url, tmp_path)
    assert ended == code, text
    assert "nobody foresaw this" in text or "Fatal Python error: Aborted" in text
    assert any(spelling in text for spelling in SPELLINGS) == (name == "a leak")
