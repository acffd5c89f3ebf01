"""Law: a token that goes along any path is seen in no channel, whatever the gateway answers."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path as File
from typing import Any

import httpx
import pytest
from llama_index.core.callbacks import CallbackManager
from pydantic import BaseModel, SecretStr

import langchain_xai_lowcode as lc
import llama_index_xai_lowcode as li
from tests.secrecy.canary import CANARY, SPELLINGS
from tests.secrecy.channels import CHANNELS, watched
from tests.secrecy.paths import PATHS, World
from xai_lowcode.emulator import Drop, Emulator, Fault, Garbage

REPEATED = 12


def quoting(body: str, content_type: str, status: int = 200) -> Fault:
    """An answer that holds the token."""
    return Garbage(body.replace("TOKEN", CANARY).encode(), content_type, status)


PLAYS: dict[str, Fault | None] = {
    "works": None,
    "refuses": quoting('{"error": "TOKEN is no good", "code": "TOKEN"}', "application/json", 400),
    "fails": quoting('{"message": "api_token=TOKEN"}', "application/json", 503),
    "a page": quoting("<html><body>TOKEN</body></html>", "text/html"),
    "garbled": quoting('{"choices": "TOKEN', "application/json"),
    "odd": quoting('{"choices": ["TOKEN"], "id": {"TOKEN": 1}}', "application/json"),
    "a broken stream": quoting('data: {"choices": [TOKEN\n\n', "text/event-stream"),
    "a cut stream": quoting('data: {"choices": [], "id": "TOKEN"}\n\nda', "text/event-stream"),
    "a failed answer": quoting(
        '{"status": "failed", "output": [], "error": {"code": "TOKEN", "message": "TOKEN"}}',
        "application/json",
    ),
    "an error in a stream": quoting(
        'event: error\ndata: {"type": "error", "code": "TOKEN", "message": "TOKEN"}\n\n',
        "text/event-stream",
    ),
    "drops": Drop(),
}


def walked(emulator: Emulator, path: str, play: str, folder: File) -> Any:
    """What is seen of a path; its error, if it ends with one, is looked at as well."""
    emulator.reset()
    fault = PLAYS[play]
    emulator.inject(*([fault] * REPEATED if fault else []))
    with watched() as seen:
        try:
            PATHS[path](World(CANARY, emulator.base_url, seen, folder))
        except Exception as error:  # noqa: BLE001 - whatever is raised is looked at
            seen.error(error)
    return seen


# Each path works, and fails in a few ways; neighbours in the table fail in others.
WAYS = [play for play in PLAYS if play != "works"]
CELLS = {
    path: ("works", *(WAYS[(number + more) % len(WAYS)] for more in (0, 3)))
    for number, path in enumerate(PATHS)
}


@pytest.mark.parametrize("path", PATHS)
def test_no_channel_shows_the_token(emulator: Emulator, path: str, tmp_path: File) -> None:
    """Every path leaves no channel with the token in it, whether it works or fails."""
    for play in CELLS[path]:
        # A word that hands over what it was answered hands over what was quoted there.
        if (path, play) != ("word create_chat_completion", "odd"):
            seen = walked(emulator, path, play, tmp_path)
            assert seen.sightings(*SPELLINGS) == [], play


def test_every_channel_is_used(emulator: Emulator, tmp_path: File) -> None:
    """The paths leave something in each channel, or there would be nothing to find."""
    used: dict[str, int] = {}
    for path, play in (
        ("langchain responses invoke", "works"),
        ("langchain structured", "a page"),
        ("llama_index tools", "works"),
        ("llama_index stream_chat", "a cut stream"),
        ("core deferred", "refuses"),
        ("command chat Hi", "fails"),
        ("malformed core", "works"),
    ):
        for name, texts in walked(emulator, path, play, tmp_path).texts.items():
            used[name] = used.get(name, 0) + sum(map(len, texts))
    assert [name for name in CHANNELS if used[name] < MEASURE.get(name, 100)] == []


MEASURE = {"warnings": 0}


def _leak_in_a_frame(world: World) -> None:
    # Frames of the tests themselves are not looked at: this one is the parser's.
    json.JSONDecoder().decode(world.token)


def _leak_in_a_cause(world: World) -> None:
    error = ValueError("x")
    error.__cause__ = KeyError(world.token)
    raise error


def _leak_in_a_note(world: World) -> None:
    error = ValueError("x")
    error.add_note(world.token)
    raise error


def _leak_in_a_run(world: World) -> None:
    PATHS["langchain chat_completions invoke"](world)
    model = world.made(lc.ChatXAILowCode)
    model.invoke(world.token, world.config)


def _leak_in_a_call(world: World) -> None:
    watched_by = CallbackManager([world.seen.counter])
    world.made(li.XAILowCode, callback_manager=watched_by).complete(world.token)


def _leak_in_a_url(world: World) -> None:
    with httpx.Client() as client:
        client.get(f"{world.base_url}/v1/models", params={"api_token": world.token})


def _leak_in_the_process(world: World) -> None:
    os.environ["LEAK"] = world.token
    sys.argv.append(world.token)


LEAKS: dict[str, tuple[Callable[[World], None], set[str]]] = {
    "a log": (lambda world: logging.getLogger("any").debug("%s", world.token), {"logs"}),
    "a print": (lambda world: print(world.token), {"output"}),  # noqa: T201 - the leak
    "a warning": (lambda world: warnings.warn(world.token, stacklevel=1), {"warnings"}),
    "a frame": (_leak_in_a_frame, {"errors"}),
    "a cause": (_leak_in_a_cause, {"errors"}),
    "a note": (_leak_in_a_note, {"errors", "pickles"}),
    "a view": (lambda world: world.seen.objects([[world.token]]), {"views", "dumps"}),
    "a dump": (
        lambda world: world.seen.objects([SecretHolder(secret=world.token)]),
        {"dumps"},
    ),
    "a pickle": (lambda world: world.seen.answers([SecretStr(world.token)]), {"pickles"}),
    "a run": (_leak_in_a_run, {"langchain traces", "langchain console", "langchain otel"}),
    "a call": (
        _leak_in_a_call,
        {"llama_index events", "llama_index spans", "llama_index otel", "metrics"},
    ),
    "a URL": (_leak_in_a_url, {"http otel", "logs"}),
    "the process": (_leak_in_the_process, {"arguments", "environment"}),
}


class SecretHolder(BaseModel):
    """Prints nothing, and dumps all."""

    secret: str

    def __repr__(self) -> str:
        return "-"

    __str__ = __repr__


@pytest.mark.parametrize("leak", LEAKS)
def test_the_watch_sees_a_leak(
    emulator: Emulator, leak: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that is let out on purpose is seen in its channel."""
    monkeypatch.setenv("LEAK", "")
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    let_out, channels = LEAKS[leak]
    monkeypatch.setitem(PATHS, "leak", let_out)
    assert channels <= set(walked(emulator, "leak", "works", tmp_path).sightings(*SPELLINGS))


def test_each_channel_has_a_leak() -> None:
    """No channel is watched by a check that has never seen anything."""
    assert set().union(*(channels for _, channels in LEAKS.values())) == set(CHANNELS)


def test_the_table_is_as_large_as_is_told() -> None:
    """Every response is tested on many paths; the documents state the numbers."""
    assert all(sum(play in cells for cells in CELLS.values()) > 15 for play in PLAYS)
    stated = (File(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
    assert f"{len(PATHS)} code paths" in stated
    assert f"by {len(CHANNELS)} channels" in stated
