"""Chat requests that a model rejects."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.cases import for_each

Send = Callable[..., httpx.Response]
Json = dict[str, Any]


def error(response: httpx.Response) -> tuple[int, str]:
    """Return status and text of a provider error."""
    return response.status_code, response.json()["error"]["error"]


@for_each("model", ["grok-4", "grok-4.3", "grok-3-mini", "grok-code-fast-1", "grok-99"])
@for_each(
    ("name", "value", "in_error"),
    [
        ("stop", ["x"], "stop"),
        ("presence_penalty", 0.5, "presencePenalty"),
        ("frequency_penalty", 0, "frequencyPenalty"),
    ],
)
def test_rejected_by_reasoning_models(
    send_chat: Send, model: str, name: str, value: Any, in_error: str
) -> None:
    """Reasoning models accept neither stop sequences nor penalties."""
    text = f"Argument not supported on this model: {in_error}"
    if model in {"grok-code-fast-1", "grok-99"}:
        text = f"Model {model} does not support parameter {in_error}."
    assert error(send_chat(model=model, **{name: value})) == (400, text)


@for_each("model", ["grok-3", "grok-3-fast", "grok-2-1212", "grok-4.20-0309-non-reasoning"])
def test_accepted_by_other_models(send_chat: Send, model: str) -> None:
    """Models without reasoning accept them."""
    assert send_chat(model=model, stop=["x"], frequency_penalty=0.5).status_code == 200


def test_presence_penalty_on_grok_3(send_chat: Send) -> None:
    """Grok 3 does not reason, but rejects one of the penalties."""
    assert send_chat(model="grok-3", presence_penalty=1).status_code == 400
    assert send_chat(model="grok-2-1212", presence_penalty=1).status_code == 200


def test_empty_stop_is_accepted(send_chat: Send) -> None:
    """An empty list of stop sequences is accepted."""
    assert send_chat(stop=[]).status_code == 200


@for_each(
    ("model", "effort", "text"),
    [
        (
            "grok-build-0.1",
            "low",
            "Model grok-build-0.1 does not support parameter reasoningEffort.",
        ),
        ("grok-4.20-0309-reasoning", "low", "does not support parameter reasoningEffort"),
        ("grok-2-1212", "low", "Argument not supported on this model: reasoningEffort"),
        ("grok-build-latest", "none", "value 'none'"),
        ("grok-latest", "none", "value 'none'"),
        ("grok-4.5", "xhigh", "value 'xhigh'"),
        ("grok-4.7", "minimal", "value 'minimal'"),
        ("grok-code-fast-1", "low", "does not support parameter reasoningEffort"),
        ("grok-4", "xhigh", "value 'xhigh'"),
        ("grok-4", "none", None),
        ("grok-4-1-fast-non-reasoning", "low", None),
        ("grok-4.6", "minimal", None),
        ("grok-latest", "xhigh", None),
        ("latest", "low", None),
        ("grok-build-latest", "high", None),
        ("grok-4.5", "none", "This model does not support 'reasoning_effort' value 'none'"),
        ("grok-4.3", "xhigh", "value 'xhigh'"),
        ("grok-4.7", "none", "value 'none'"),
        ("grok-9", "enormous", "value 'enormous'"),
        ("grok-4.3", "high", None),
        ("grok-4.3", "none", None),
        ("grok-4.7", "xhigh", None),
        ("grok-3-mini", "low", None),
        ("grok-9", "xhigh", None),
    ],
)
def test_reasoning_effort(send_chat: Send, model: str, effort: str, text: str | None) -> None:
    """A reasoning effort is accepted or rejected by each model."""
    response = send_chat(model=model, reasoning_effort=effort)
    if text is None:
        assert response.status_code == 200
    else:
        status, found = error(response)
        assert status == 400
        assert text in found


def test_live_search_was_removed(send_chat: Send) -> None:
    """Live search gets a 410, as parameter and as tool, and the error has no code."""
    live: Json = {"tools": [{"type": "live_search", "sources": []}]}
    bodies: list[Json] = [{"search_parameters": {}}, live]
    for body in bodies:
        response = send_chat(**body)
        assert response.status_code == 410
        assert set(response.json()["error"]) == {"error"}


def test_deprecated_model(send_chat: Send) -> None:
    """A deprecated model gets a 404 that names its replacement."""
    status, found = error(send_chat(model="grok-beta"))
    assert status == 404
    assert "Please use grok-3 instead." in found
