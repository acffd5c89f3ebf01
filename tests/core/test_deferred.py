"""A deferred completion is polled while it is pending, and retrieved at most once."""

import asyncio
from typing import Any

import pytest

from tests.core.clients import GATEWAY_CLIENTS, emulator_settings, server_settings
from tests.core.fake_server import Action, Drop, FakeServer, Reply, Stall, json_reply
from tests.core.sync_async import Delays, open_client
from tests.core.wire import ENVELOPES, refused, wrapped
from xai_lowcode import emulator as emulation
from xai_lowcode.api.client import AsyncGateway
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    InvalidResponseError,
    NotFoundError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest, PollingOptions

DONE = {"id": "c", "choices": [{"index": 0, "message": {"content": "hi"}}]}
NOT_FOUND = {"error": "Deferred completion not found: r", "code": "not-found"}
SHORT_DELAY = PollingOptions(initial_delay=0.01)
# For polls without a response; long enough for a response on a slow machine.
SHORT_TIMEOUT = PollingOptions(initial_delay=0.01, poll_timeout=0.4)
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
both_clients = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


def in_envelopes(name: str, body: Any) -> dict[str, Action]:
    return {f"{name} {envelope}": json_reply(wrapped(body, envelope)) for envelope in ENVELOPES}


PENDING: dict[str, Action] = {
    **in_envelopes("text", ""),
    **in_envelopes("null", None),
    **in_envelopes("object", {}),
    **in_envelopes("status", {"status": "pending"}),
    "empty": Reply(b""),
    "empty with content type": Reply(b"", content_type="text/plain; charset=utf-8"),
    "empty without content type": Reply(b"", content_type=None),
    "white space": Reply(b" \r\n"),
    "202 and empty": Reply(b"", 202, None),
    "202 and a text": Reply(b"Accepted", 202, "text/plain"),
    "202 and a string": json_reply("accepted", 202),
    "202 and an object": json_reply({"message": "still working"}, 202),
    "204": Reply(b"", 204, None),
    "no response": Stall(),
}


@both_clients
@pytest.mark.parametrize("name", PENDING)
def test_pending_responses(gateway: FakeServer, delays: Delays, kind: type[Any], name: str) -> None:
    """Each pending response is polled again; the completion is returned unchanged."""
    options = SHORT_TIMEOUT if name == "no response" else SHORT_DELAY
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([PENDING[name], PENDING[name], json_reply(DONE)])
        assert client.call_method("poll_deferred_completion", "r", options) == DONE
        assert len(gateway.requests) == 3
        assert len(delays) == 3
        if name != "no response":
            gateway.script([PENDING[name], json_reply(DONE)])
            assert client.call_method("get_deferred_completion", "r") is None
            assert client.call_method("get_deferred_completion", "r") == DONE
    assert gateway.open_connections == 0


@both_clients
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("url_forms", ["new", "old", "both", "old_new_drops"])
@pytest.mark.parametrize("pending", ["empty_json", "empty", "null", "status_202"])
def test_create_and_poll(
    emulator: Emulator, delays: Delays, kind: type[Any], envelope: Any, url_forms: Any, pending: Any
) -> None:
    """A completion is created and polled with every envelope, URL format and pending response."""
    del delays
    emulator.envelope, emulator.url_forms, emulator.deferred_pending = envelope, url_forms, pending
    emulator.deferred_polls = 3
    with open_client(kind, emulator_settings(emulator)) as gateway:
        call = {"model": "grok-4.3", "messages": MESSAGES, "deferred": True}
        request_id = gateway.call_method("create_chat_completion", **call)["request_id"]
        response = gateway.call_method("poll_deferred_completion", request_id, SHORT_DELAY)
        assert len(emulator.requests) == (6 if url_forms == "old_new_drops" else 5) + (
            url_forms == "old"
        )
        assert response["choices"][0]["message"]["content"]
        with pytest.raises(NotFoundError):
            gateway.call_method("get_deferred_completion", request_id)


@both_clients
def test_a_gateway_without_pending_responses(
    emulator: Emulator, delays: Delays, kind: type[Any]
) -> None:
    """A completion is retrieved from a gateway that does not respond while it is pending."""
    del delays
    emulator.deferred_pending = "never"
    with open_client(kind, emulator_settings(emulator)) as gateway:
        call = {"model": "grok-4.3", "messages": MESSAGES, "deferred": True}
        request_id = gateway.call_method("create_chat_completion", **call)["request_id"]
        assert gateway.call_method("poll_deferred_completion", request_id, SHORT_TIMEOUT)["choices"]
    assert len(emulator.requests) == 3


@both_clients
@pytest.mark.parametrize("single_poll", [False, True])
@pytest.mark.parametrize(
    ("action", "error"),
    [
        (Reply(b'{"choices": [', cut=True), APIConnectionError),
        (Reply(b"", cut=True), APIConnectionError),
        (Reply(b'{"choices": [', stall=True), APITimeoutError),
        (Reply(b'{"choices": ['), InvalidResponseError),
        (Reply(b"<html>x</html>", content_type="text/html"), InvalidResponseError),
        (Reply(b"no gzip", headers=(("Content-Encoding", "gzip"),)), InvalidResponseError),
        (json_reply({"id": "c"}), InvalidResponseError),
        (json_reply("a word"), InvalidResponseError),
        (json_reply(refused({"error": "bad"}), 400), XAILowCodeError),
    ],
)
def test_a_completion_is_not_requested_twice(
    gateway: FakeServer,
    delays: Delays,
    kind: type[Any],
    single_poll: bool,
    action: Action,
    error: type[XAILowCodeError],
) -> None:
    """A partial or unexpected response raises, and no further request is sent."""
    gateway.script([action, json_reply(DONE), json_reply(DONE)])
    method = "get_deferred_completion" if single_poll else "poll_deferred_completion"
    options = () if single_poll else (SHORT_DELAY,)
    stalls = isinstance(action, Reply) and action.stall
    settings = server_settings(gateway, max_retries=5, timeout=0.5 if stalls else 30)
    with open_client(kind, settings) as client, pytest.raises(error):
        client.call_method(method, "r", *options)
    assert len(gateway.requests) == 1
    assert len(delays) == (0 if single_poll else 1)
    assert gateway.open_connections == 0


@both_clients
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("form", ["new", "old"])
def test_a_dropped_poll_is_not_retried_at_once(
    gateway: FakeServer, delays: Delays, kind: type[Any], reused: bool, form: str
) -> None:
    """A dropped poll raises, also on a reused connection: xAI may have sent the completion."""
    settings = server_settings(gateway, max_retries=5, url_format=form)
    with open_client(kind, settings) as client:
        gateway.script([json_reply(""), Drop(), json_reply(DONE)])
        if reused:
            client.call_method("get_deferred_completion", "r")
        else:
            gateway.script([Drop(), json_reply(DONE)])
        with pytest.raises(APIConnectionError):
            client.call_method("get_deferred_completion", "r")
    assert len(gateway.requests) == 1 + reused
    assert delays == []


FAILED: dict[str, Action] = {
    "dropped": Drop(),
    "500": json_reply(refused("upstream"), 500),
    "html": Reply(b"<html>bad gateway</html>", 502, "text/html"),
    "network": json_reply(
        {"message": "hang up", "provider": "xai", "error": {"message": "hang up"}}, 500
    ),
    "no response": Stall(),
}


@both_clients
@pytest.mark.parametrize("reused", [False, True])
@pytest.mark.parametrize("name", FAILED)
def test_polling_continues_after_transient_failures(
    gateway: FakeServer, delays: Delays, kind: type[Any], name: str, reused: bool
) -> None:
    """A transient failure does not end polling; a later 404 has a note about the lost completion.

    With ``reused`` the connection was used before.
    """
    del delays
    options = SHORT_TIMEOUT if name == "no response" else SHORT_DELAY
    before = [json_reply("")] * reused
    settings = server_settings(gateway, url_format="new")
    with open_client(kind, settings) as client:
        gateway.script([*before, FAILED[name], *before, json_reply(DONE)])
        assert client.call_method("poll_deferred_completion", "r", options) == DONE
        gateway.script([*before, FAILED[name], *before, json_reply(refused(NOT_FOUND), 404)])
        with pytest.raises(NotFoundError) as raised:
            client.call_method("poll_deferred_completion", "r", options)
        assert "can be retrieved only once" in raised.value.__notes__[0]
        # Without a failure, or after a rejected poll, no completion can be lost.
        for responses in ([], [json_reply(refused({"error": "slow"}), 429)]):
            gateway.script([*before, *responses, json_reply(refused(NOT_FOUND), 404)])
            with pytest.raises(NotFoundError) as raised:
                client.call_method("poll_deferred_completion", "r", options)
            assert not hasattr(raised.value, "__notes__")


@both_clients
def test_a_drop_in_the_new_format_is_a_note_of_the_error(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """A 404 in the old format after a drop in the new one raises an error that names both."""
    del delays
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([Drop(), json_reply(refused(NOT_FOUND), 404)])
        with pytest.raises(NotFoundError) as raised:
            client.call_method("poll_deferred_completion", "r", SHORT_DELAY)
        assert "new URL format was tried first: No response" in raised.value.__notes__[0]
        assert len(gateway.requests) == 2


@both_clients
def test_polling_in_the_new_format_continues_after_a_drop(
    emulator: Emulator, delays: Delays, kind: type[Any]
) -> None:
    """The 404 of the old format, which has a placeholder for the id, does not end polling."""
    del delays
    with open_client(kind, emulator_settings(emulator)) as gateway:
        call = {"model": "grok-4.3", "messages": MESSAGES, "deferred": True}
        request_id = gateway.call_method("create_chat_completion", **call)["request_id"]
        emulator.inject(emulation.Drop())
        assert gateway.call_method("poll_deferred_completion", request_id, SHORT_DELAY)["choices"]


@both_clients
@pytest.mark.parametrize("action", [json_reply(""), Stall(), Drop(), FAILED["500"]])
def test_the_deadline(gateway: FakeServer, kind: type[Any], action: Action) -> None:
    """A completion that stays pending raises at the deadline, with its request id."""
    gateway.respond = lambda _request: action
    poll = 0.05 if isinstance(action, Stall) else 5
    options = PollingOptions(timeout=0.4, poll_timeout=poll, initial_delay=0.02, max_delay=0.05)
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(APITimeoutError) as raised:
            client.call_method("poll_deferred_completion", "req-17", options)
        # On a slow machine the last poll may end during its response.
        assert "req-17" in f"{raised.value} {getattr(raised.value, '__notes__', '')}"
        assert raised.value.request_sent
        assert 1 <= len(gateway.requests) <= 31
        with pytest.raises(APITimeoutError):
            client.call_method("poll_deferred_completion", "r", PollingOptions(timeout=0.05))
    assert gateway.open_connections == 0


class StoppedError(Exception):
    """Raised by a callback."""


@both_clients
def test_an_exception_of_the_callback_ends_polling(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """An exception of ``progress`` is raised, and no further poll is sent."""
    gateway.respond = lambda _request: json_reply("")
    polls: list[int] = []

    def report(number: int, _seconds: float) -> None:
        polls.append(number)
        if number == 2:
            raise StoppedError

    with open_client(kind, server_settings(gateway)) as client, pytest.raises(StoppedError):
        client.call_method("poll_deferred_completion", "r", PollingOptions(progress=report))
    assert polls == [0, 1, 2]
    assert len(gateway.requests) == 2
    assert len(delays) == 3


@pytest.mark.parametrize("action", [Stall(), Reply(b"{", stall=True), json_reply("")])
async def test_cancelled_polling_closes_its_connection(gateway: FakeServer, action: Action) -> None:
    """Cancelling during a poll, a response or a delay closes the connection."""
    gateway.respond = lambda _request: action
    options = PollingOptions(initial_delay=0.01, max_delay=30)
    async with AsyncGateway(server_settings(gateway)) as client:
        task = asyncio.create_task(client.poll_deferred_completion("r", options))
        while not gateway.requests:  # noqa: ASYNC110 - another thread fills it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        sent = len(gateway.requests)
        await asyncio.sleep(0.2)
        # A request that was sent before may be received later.
        assert len(gateway.requests) <= sent + 1
        if not isinstance(action, Reply) or action.stall:
            assert gateway.open_connections == 0
    assert gateway.open_connections == 0


@pytest.mark.parametrize("request_id", [5, None, "", {"a": 1}])
def test_an_invalid_request_id_raises(gateway: FakeServer, request_id: Any) -> None:
    """An invalid request id in the response is an error; nothing is polled."""
    gateway.script([json_reply({"request_id": request_id})])
    model = ChatModel(server_settings(gateway))
    with pytest.raises((InvalidResponseError, UsageError)):
        model.generate(QUESTION, SHORT_DELAY)
    model.client.close()
    assert len(gateway.requests) == 1


def test_an_immediate_completion_is_returned(gateway: FakeServer) -> None:
    """A completion returned at once, by a gateway without deferral, is not polled."""
    choice = {"message": {"content": "hi"}, "finish_reason": "stop"}
    gateway.script([json_reply({"choices": [choice]})])
    model = ChatModel(server_settings(gateway))
    assert model.generate(QUESTION, SHORT_DELAY).text == "hi"
    model.client.close()
    assert len(gateway.requests) == 1


QUESTION = ChatRequest(
    model="grok-4.3",
    messages=(Message("user", (TextPart("Say hello."),)),),
    api="chat_completions",
)


def test_a_deferred_completion_has_the_same_response(emulator: Emulator) -> None:
    """Deferred or not, sync or async, the response is the same; requests differ in ``deferred``."""
    model = ChatModel(emulator_settings(emulator))
    responses = []
    for options in (None, SHORT_DELAY):
        emulator.reset()
        responses.append(model.generate(QUESTION, options))
        emulator.reset()
        responses.append(asyncio.run(model.agenerate(QUESTION, options)))
        first = emulator.requests[0].body
        assert first.pop("deferred", None) is (None if options is None else True)
        assert first == {"model": "grok-4.3", "messages": MESSAGES}
    model.client.close()
    comparable = {
        (response.text, response.usage, response.finish_reason, response.model)
        for response in responses
    }
    assert len(comparable) == 1
    assert len({response.id for response in responses}) == 1
