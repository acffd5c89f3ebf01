"""Deferred completions: a request id, pending polls, then the completion."""

from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

from xai_lowcode.emulator import CutStream, Emulator

Send = Callable[..., httpx.Response]


@pytest.fixture
def ticket(send_chat: Send) -> str:
    """The request id of a deferred completion."""
    return str(send_chat(deferred=True).json()["result"]["request_id"])


@pytest.fixture
def poll(http: httpx.Client, ticket: str) -> Callable[..., httpx.Response]:
    """Poll the completion."""
    return partial(http.get, f"/v1/chat/deferred-completion/{ticket}")


PENDING: dict[str, tuple[int, str]] = {
    "empty_json": (200, '"result":""'),
    "empty": (200, ""),
    "null": (200, '"result":null'),
    "status_202": (202, ""),
}


@pytest.mark.parametrize("pending", PENDING)
def test_pending_then_there_then_gone(
    gateway: Emulator, send_chat: Send, poll: Callable[[], httpx.Response], pending: Any
) -> None:
    """The first polls are pending; the completion can be retrieved only once."""
    gateway.deferred_pending, gateway.deferred_polls = pending, 2
    status, text = PENDING[pending]
    for _ in range(2):
        response = poll()
        assert response.status_code == status
        assert text in response.text
        assert bool(response.text) == bool(text)
    body = poll().json()["result"]
    assert body["choices"] == send_chat().json()["result"]["choices"]
    assert poll().status_code == 404


def test_never(gateway: Emulator, poll: Callable[..., httpx.Response]) -> None:
    """A pending poll can get no response; the next poll succeeds."""
    gateway.deferred_pending = "never"
    with pytest.raises(httpx.ReadTimeout):
        poll(timeout=0.2)
    assert poll().json()["result"]["object"] == "chat.completion"


def test_no_waiting(gateway: Emulator, poll: Callable[[], httpx.Response]) -> None:
    """Without pending polls the first poll returns the completion."""
    gateway.deferred_polls = 0
    assert poll().status_code == 200


def test_unknown_ticket(http: httpx.Client) -> None:
    """An unknown request id gets a 404 of the provider."""
    response = http.get("/v1/chat/deferred-completion/nope")
    assert (response.status_code, response.json()["provider"]) == (404, "xai")


def test_an_answer_that_breaks_off_is_lost(
    gateway: Emulator, poll: Callable[[], httpx.Response]
) -> None:
    """A completion that was sent in part cannot be retrieved again."""
    gateway.deferred_polls = 0
    gateway.inject(CutStream())
    with pytest.raises(httpx.RemoteProtocolError):
        poll()
    assert poll().status_code == 404


def test_refused_before_there_is_a_ticket(send_chat: Send) -> None:
    """A deferred request is checked when it is made."""
    assert send_chat(deferred=True, stop=["x"]).status_code == 400


def test_reset_forgets_tickets(gateway: Emulator, poll: Callable[[], httpx.Response]) -> None:
    """A reset deletes the deferred completions."""
    gateway.reset()
    assert poll().status_code == 404
