"""No channel shows the token on any path, whatever the gateway responds."""

import json
import logging
import os
import sys
import threading
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
from tests.secrecy.channels import CHANNELS, observe_channels
from tests.secrecy.paths import PATHS, PathContext
from xai_lowcode.emulator import Drop, Emulator, Fault, Garbage

REPEATED = 12
TIME_LIMIT = 60.0  # only a thread that never ends takes so long


def with_token(body: str, content_type: str, status: int = 200) -> Fault:
    """Return a response that has the token in it."""
    return Garbage(body.replace("TOKEN", CANARY).encode(), content_type, status)


SCENARIOS: dict[str, Fault | None] = {
    "succeeds": None,
    "error 400": with_token(
        '{"error": "TOKEN is no good", "code": "TOKEN"}', "application/json", 400
    ),
    "error 503": with_token('{"message": "api_token=TOKEN"}', "application/json", 503),
    "an HTML page": with_token("<html><body>TOKEN</body></html>", "text/html"),
    "truncated JSON": with_token('{"choices": "TOKEN', "application/json"),
    "unexpected types": with_token(
        '{"choices": ["TOKEN"], "id": {"TOKEN": 1}}', "application/json"
    ),
    "a malformed stream": with_token('data: {"choices": [TOKEN\n\n', "text/event-stream"),
    "a cut stream": with_token('data: {"choices": [], "id": "TOKEN"}\n\nda', "text/event-stream"),
    "a failed response": with_token(
        '{"status": "failed", "output": [], "error": {"code": "TOKEN", "message": "TOKEN"}}',
        "application/json",
    ),
    "an error in a stream": with_token(
        'event: error\ndata: {"type": "error", "code": "TOKEN", "message": "TOKEN"}\n\n',
        "text/event-stream",
    ),
    "a dropped connection": Drop(),
}


def observe_path(emulator: Emulator, path: str, scenario: str, folder: File) -> Any:
    """Return an observer with the texts of a path, including its error."""
    emulator.reset()
    fault = SCENARIOS[scenario]
    emulator.inject(*([fault] * REPEATED if fault else []))
    with observe_channels() as observer:
        try:
            PATHS[path](PathContext(CANARY, emulator.base_url, observer, folder))
        except Exception as error:  # noqa: BLE001 - every error is recorded
            observer.error(error)
    return observer


# Each path succeeds once and fails in two scenarios, which are others for its neighbours.
FAILURES = [scenario for scenario in SCENARIOS if scenario != "succeeds"]
PATH_SCENARIOS = {
    path: ("succeeds", *(FAILURES[(number + more) % len(FAILURES)] for more in (0, 3)))
    for number, path in enumerate(PATHS)
}


@pytest.mark.parametrize("path", PATHS)
def test_no_channel_shows_the_token(emulator: Emulator, path: str, tmp_path: File) -> None:
    """No channel shows the token, whether a path succeeds or fails."""
    for scenario in PATH_SCENARIOS[path]:
        # This method returns the body unchanged, so that the token of the response is in it.
        if (path, scenario) != ("gateway create_chat_completion", "unexpected types"):
            observer = observe_path(emulator, path, scenario, tmp_path)
            assert observer.channels_with(*SPELLINGS) == [], scenario


def test_every_channel_is_used(emulator: Emulator, tmp_path: File) -> None:
    """Each channel has texts, so that a leak could be found there."""
    used: dict[str, int] = {}
    for path, scenario in (
        ("langchain responses invoke", "succeeds"),
        ("langchain structured", "an HTML page"),
        ("llama_index tools", "succeeds"),
        ("llama_index stream_chat", "a cut stream"),
        ("core deferred", "error 400"),
        ("command chat Hi", "error 503"),
        ("malformed core", "succeeds"),
    ):
        for name, texts in observe_path(emulator, path, scenario, tmp_path).texts.items():
            used[name] = used.get(name, 0) + sum(map(len, texts))
    assert [name for name in CHANNELS if used[name] < MINIMUM_SIZES.get(name, 100)] == []


MINIMUM_SIZES = {"warnings": 0}


def _leak_in_a_frame(context: PathContext) -> None:
    # Frames of the tests themselves are skipped: this one is of the JSON decoder.
    json.JSONDecoder().decode(context.token)


def _leak_in_a_cause(context: PathContext) -> None:
    error = ValueError("x")
    error.__cause__ = KeyError(context.token)
    raise error


def _leak_in_a_note(context: PathContext) -> None:
    error = ValueError("x")
    error.add_note(context.token)
    raise error


def _leak_in_a_run(context: PathContext) -> None:
    PATHS["langchain chat_completions invoke"](context)
    model = context.create_model(lc.ChatXAILowCode)
    model.invoke(context.token, context.config)


def _leak_in_a_call(context: PathContext) -> None:
    manager = CallbackManager([context.observer.counter])
    context.create_model(li.XAILowCode, callback_manager=manager).complete(context.token)


def _leak_in_a_url(context: PathContext) -> None:
    with httpx.Client() as client:
        client.get(f"{context.base_url}/v1/models", params={"api_token": context.token})


def _leak_in_the_process(context: PathContext) -> None:
    os.environ["LEAK"] = context.token
    sys.argv.append(context.token)


LEAKS: dict[str, tuple[Callable[[PathContext], None], set[str]]] = {
    "a log": (lambda context: logging.getLogger("any").debug("%s", context.token), {"logs"}),
    "a print": (lambda context: print(context.token), {"output"}),  # noqa: T201 - the leak
    "a warning": (lambda context: warnings.warn(context.token, stacklevel=1), {"warnings"}),
    "a frame": (_leak_in_a_frame, {"errors"}),
    "a cause": (_leak_in_a_cause, {"errors"}),
    "a note": (_leak_in_a_note, {"errors", "pickles"}),
    "a view": (lambda context: context.observer.objects([[context.token]]), {"views", "dumps"}),
    "a dump": (
        lambda context: context.observer.objects([SecretHolder(secret=context.token)]),
        {"dumps"},
    ),
    "a pickle": (
        lambda context: context.observer.responses([SecretStr(context.token)]),
        {"pickles"},
    ),
    "a run": (_leak_in_a_run, {"langchain traces", "langchain console", "langchain otel"}),
    "a call": (
        _leak_in_a_call,
        {"llama_index events", "llama_index spans", "llama_index otel", "metrics"},
    ),
    "a URL": (_leak_in_a_url, {"http otel", "logs"}),
    "the process": (_leak_in_the_process, {"arguments", "environment"}),
}


class SecretHolder(BaseModel):
    """Has no secret in its ``repr``, but in its dumps."""

    secret: str

    def __repr__(self) -> str:
        return "-"

    __str__ = __repr__


@pytest.mark.parametrize("leak", LEAKS)
def test_each_channel_detects_a_leak(
    emulator: Emulator, leak: str, tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deliberate leak is detected in its channel."""
    monkeypatch.setenv("LEAK", "")
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    leaking_path, channels = LEAKS[leak]
    monkeypatch.setitem(PATHS, "leak", leaking_path)
    assert channels <= set(
        observe_path(emulator, "leak", "succeeds", tmp_path).channels_with(*SPELLINGS)
    )


def test_each_channel_has_a_leak() -> None:
    """Each channel is tested with a deliberate leak."""
    assert set().union(*(channels for _, channels in LEAKS.values())) == set(CHANNELS)


def test_an_observer_leaves_no_thread(emulator: Emulator, tmp_path: File) -> None:
    """The threads of the instruments end, so that they do not slow down later tests."""
    before = {*threading.enumerate()}
    observe_path(emulator, "llama_index tools", "succeeds", tmp_path)
    for thread in {*threading.enumerate()} - before:
        thread.join(TIME_LIMIT)
        assert not thread.is_alive(), thread


def test_security_md_states_the_numbers_of_paths_and_channels() -> None:
    """Each scenario is tested with many paths, and SECURITY.md states the numbers."""
    assert all(
        sum(scenario in scenarios for scenarios in PATH_SCENARIOS.values()) > 15
        for scenario in SCENARIOS
    )
    text = (File(__file__).parents[2] / "SECURITY.md").read_text(encoding="utf-8")
    assert f"{len(PATHS)} code paths" in text
    assert f"by {len(CHANNELS)} channels" in text
