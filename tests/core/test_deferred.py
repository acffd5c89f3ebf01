"""Law: a deferred completion is polled for each form of "pending", and retrieved at most once."""

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
GONE = {"error": "Deferred completion not found: r", "code": "not-found"}
SOON = PollingOptions(initial_delay=0.01)
# Where a look is never answered; long enough for an answer that comes on a busy machine.
SHORT = PollingOptions(initial_delay=0.01, poll_timeout=0.4)
ASKED: list[dict[str, Any]] = [{"role": "user", "content": "Say hello."}]
both = pytest.mark.parametrize("kind", GATEWAY_CLIENTS)


def in_envelopes(name: str, body: Any) -> dict[str, Action]:
    return {f"{name} {how}": json_reply(wrapped(body, how)) for how in ENVELOPES}


PENDING: dict[str, Action] = {
    **in_envelopes("text", ""),
    **in_envelopes("null", None),
    **in_envelopes("object", {}),
    **in_envelopes("status", {"status": "pending"}),
    "nothing": Reply(b""),
    "nothing of a type": Reply(b"", content_type="text/plain; charset=utf-8"),
    "nothing of no type": Reply(b"", content_type=None),
    "white space": Reply(b" \r\n"),
    "202 and nothing": Reply(b"", 202, None),
    "202 and a text": Reply(b"Accepted", 202, "text/plain"),
    "202 and a word": json_reply("accepted", 202),
    "202 and an object": json_reply({"message": "still working"}, 202),
    "204": Reply(b"", 204, None),
    "silence": Stall(),
}


@both
@pytest.mark.parametrize("name", PENDING)
def test_all_that_means_not_yet(
    gateway: FakeServer, delays: Delays, kind: type[Any], name: str
) -> None:
    """Each form of "not yet" is waited out, alone and repeated; the answer comes as it is."""
    plan = SHORT if name == "silence" else SOON
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([PENDING[name], PENDING[name], json_reply(DONE)])
        assert client.call_method("poll_deferred_completion", "r", plan) == DONE
        assert len(gateway.requests) == 3
        assert len(delays) == 3
        if name != "silence":
            gateway.script([PENDING[name], json_reply(DONE)])
            assert client.call_method("get_deferred_completion", "r") is None
            assert client.call_method("get_deferred_completion", "r") == DONE
    assert gateway.open_connections == 0


@both
@pytest.mark.parametrize("how", ENVELOPES)
@pytest.mark.parametrize("served", ["new", "old", "both", "old_new_drops"])
@pytest.mark.parametrize("pending", ["empty_json", "empty", "null", "status_202"])
def test_the_whole_way(
    emulator: Emulator, delays: Delays, kind: type[Any], how: Any, served: Any, pending: Any
) -> None:
    """A ticket is taken and its answer collected, in every envelope, form and way to say no."""
    del delays
    emulator.envelope, emulator.url_forms, emulator.deferred_pending = how, served, pending
    emulator.deferred_polls = 3
    with open_client(kind, emulator_settings(emulator)) as gateway:
        ask = {"model": "grok-4.3", "messages": ASKED, "deferred": True}
        ticket = gateway.call_method("create_chat_completion", **ask)["request_id"]
        answer = gateway.call_method("poll_deferred_completion", ticket, SOON)
        assert len(emulator.requests) == (6 if served == "old_new_drops" else 5) + (served == "old")
        assert answer["choices"][0]["message"]["content"]
        with pytest.raises(NotFoundError):
            gateway.call_method("get_deferred_completion", ticket)


@both
def test_a_gateway_that_never_says_not_yet(
    emulator: Emulator, delays: Delays, kind: type[Any]
) -> None:
    """Where nothing is answered while nothing is ready, the answer is collected all the same."""
    del delays
    emulator.deferred_pending = "never"
    with open_client(kind, emulator_settings(emulator)) as gateway:
        ask = {"model": "grok-4.3", "messages": ASKED, "deferred": True}
        ticket = gateway.call_method("create_chat_completion", **ask)["request_id"]
        assert gateway.call_method("poll_deferred_completion", ticket, SHORT)["choices"]
    assert len(emulator.requests) == 3


@both
@pytest.mark.parametrize("low", [False, True])
@pytest.mark.parametrize(
    ("move", "error"),
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
def test_a_result_is_not_fetched_twice(
    gateway: FakeServer,
    delays: Delays,
    kind: type[Any],
    low: bool,
    move: Action,
    error: type[XAILowCodeError],
) -> None:
    """When part of an answer came, or another one than expected, nobody asks again."""
    gateway.script([move, json_reply(DONE), json_reply(DONE)])
    method = "get_deferred_completion" if low else "poll_deferred_completion"
    plan = () if low else (SOON,)
    slow = isinstance(move, Reply) and move.stall
    settings = server_settings(gateway, max_retries=5, timeout=0.5 if slow else 30)
    with open_client(kind, settings) as client, pytest.raises(error):
        client.call_method(method, "r", *plan)
    assert len(gateway.requests) == 1
    assert len(delays) == (0 if low else 1)
    assert gateway.open_connections == 0


@both
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("form", ["new", "old"])
def test_a_dropped_look_is_not_made_again_at_once(
    gateway: FakeServer, delays: Delays, kind: type[Any], warm: bool, form: str
) -> None:
    """Also on a connection that was kept: who dropped it may have fetched the answer."""
    settings = server_settings(gateway, max_retries=5, url_format=form)
    with open_client(kind, settings) as client:
        gateway.script([json_reply(""), Drop(), json_reply(DONE)])
        if warm:
            client.call_method("get_deferred_completion", "r")
        else:
            gateway.script([Drop(), json_reply(DONE)])
        with pytest.raises(APIConnectionError):
            client.call_method("get_deferred_completion", "r")
    assert len(gateway.requests) == 1 + warm
    assert delays == []


FAILED: dict[str, Action] = {
    "dropped": Drop(),
    "500": json_reply(refused("upstream"), 500),
    "html": Reply(b"<html>bad gateway</html>", 502, "text/html"),
    "network": json_reply(
        {"message": "hang up", "provider": "xai", "error": {"message": "hang up"}}, 500
    ),
    "silence": Stall(),
}


@both
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("name", FAILED)
def test_what_may_pass_is_outlasted(
    gateway: FakeServer, delays: Delays, kind: type[Any], name: str, warm: bool
) -> None:
    """A look that fails in passing is one look lost; a 404 later says what may have become of it.

    With ``warm`` the connection had been used before.
    """
    del delays
    plan = SHORT if name == "silence" else SOON
    before = [json_reply("")] * warm
    settings = server_settings(gateway, url_format="new")
    with open_client(kind, settings) as client:
        gateway.script([*before, FAILED[name], *before, json_reply(DONE)])
        assert client.call_method("poll_deferred_completion", "r", plan) == DONE
        gateway.script([*before, FAILED[name], *before, json_reply(refused(GONE), 404)])
        with pytest.raises(NotFoundError) as raised:
            client.call_method("poll_deferred_completion", "r", plan)
        assert "can be retrieved only once" in raised.value.__notes__[0]
        # Nothing was lost where nothing failed, or where the look was refused.
        for calm in ([], [json_reply(refused({"error": "slow"}), 429)]):
            gateway.script([*before, *calm, json_reply(refused(GONE), 404)])
            with pytest.raises(NotFoundError) as raised:
                client.call_method("poll_deferred_completion", "r", plan)
            assert not hasattr(raised.value, "__notes__")


@both
def test_a_lost_connection_in_the_first_form_is_visible(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """When the new form was dropped and the old one finds nothing, the error tells of both."""
    del delays
    with open_client(kind, server_settings(gateway)) as client:
        gateway.script([Drop(), json_reply(refused(GONE), 404)])
        with pytest.raises(NotFoundError) as raised:
            client.call_method("poll_deferred_completion", "r", SOON)
        assert "new URL format was tried first: No response" in raised.value.__notes__[0]
        assert len(gateway.requests) == 2


@both
def test_a_gateway_of_the_new_form_survives_a_drop(
    emulator: Emulator, delays: Delays, kind: type[Any]
) -> None:
    """The old form's 404 for the placeholder does not end the waiting."""
    del delays
    with open_client(kind, emulator_settings(emulator)) as gateway:
        ask = {"model": "grok-4.3", "messages": ASKED, "deferred": True}
        ticket = gateway.call_method("create_chat_completion", **ask)["request_id"]
        emulator.inject(emulation.Drop())
        assert gateway.call_method("poll_deferred_completion", ticket, SOON)["choices"]


@both
@pytest.mark.parametrize("move", [json_reply(""), Stall(), Drop(), FAILED["500"]])
def test_the_deadline(gateway: FakeServer, kind: type[Any], move: Action) -> None:
    """What is never ready ends with the deadline, and with the id under which it can be had."""
    gateway.respond = lambda _request: move
    poll = 0.05 if isinstance(move, Stall) else 5
    plan = PollingOptions(timeout=0.4, poll_timeout=poll, initial_delay=0.02, max_delay=0.05)
    with open_client(kind, server_settings(gateway)) as client:
        with pytest.raises(APITimeoutError) as raised:
            client.call_method("poll_deferred_completion", "req-17", plan)
        # On a busy machine the last look may end in the middle of its answer.
        assert "req-17" in f"{raised.value} {getattr(raised.value, '__notes__', '')}"
        assert raised.value.request_sent
        assert 1 <= len(gateway.requests) <= 31
        with pytest.raises(APITimeoutError):
            client.call_method("poll_deferred_completion", "r", PollingOptions(timeout=0.05))
    assert gateway.open_connections == 0


class StoppedError(Exception):
    """Raised by a callback."""


@both
def test_a_callback_can_end_the_waiting(
    gateway: FakeServer, delays: Delays, kind: type[Any]
) -> None:
    """What ``progress`` raises comes through, and the next look is not made."""
    gateway.respond = lambda _request: json_reply("")
    seen: list[int] = []

    def watch(looks: int, _passed: float) -> None:
        seen.append(looks)
        if looks == 2:
            raise StoppedError

    with open_client(kind, server_settings(gateway)) as client, pytest.raises(StoppedError):
        client.call_method("poll_deferred_completion", "r", PollingOptions(progress=watch))
    assert seen == [0, 1, 2]
    assert len(gateway.requests) == 2
    assert len(delays) == 3


@pytest.mark.parametrize("move", [Stall(), Reply(b"{", stall=True), json_reply("")])
async def test_a_cancelled_waiting_leaves_nothing_open(gateway: FakeServer, move: Action) -> None:
    """Cancelling during a look, an answer or a pause closes the connection."""
    gateway.respond = lambda _request: move
    plan = PollingOptions(initial_delay=0.01, max_delay=30)
    async with AsyncGateway(server_settings(gateway)) as client:
        task = asyncio.create_task(client.poll_deferred_completion("r", plan))
        while not gateway.requests:  # noqa: ASYNC110 - another thread fills it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        made = len(gateway.requests)
        await asyncio.sleep(0.2)
        # One that was sent before may arrive later.
        assert len(gateway.requests) <= made + 1
        if not isinstance(move, Reply) or move.stall:
            assert gateway.open_connections == 0
    assert gateway.open_connections == 0


@pytest.mark.parametrize("request_id", [5, None, "", {"a": 1}])
def test_a_promise_without_an_id_is_unreadable(gateway: FakeServer, request_id: Any) -> None:
    """An invalid request id in the response is an error; nothing is polled."""
    gateway.script([json_reply({"request_id": request_id})])
    model = ChatModel(server_settings(gateway))
    with pytest.raises((InvalidResponseError, UsageError)):
        model.generate(QUESTION, SOON)
    model.client.close()
    assert len(gateway.requests) == 1


def test_an_answer_at_once_is_taken(gateway: FakeServer) -> None:
    """A completion returned at once, by a gateway without deferral, is not polled."""
    said = {"message": {"content": "hi"}, "finish_reason": "stop"}
    gateway.script([json_reply({"choices": [said]})])
    model = ChatModel(server_settings(gateway))
    assert model.generate(QUESTION, SOON).text == "hi"
    model.client.close()
    assert len(gateway.requests) == 1


QUESTION = ChatRequest(
    model="grok-4.3",
    messages=(Message("user", (TextPart("Say hello."),)),),
    api="chat_completions",
)


def test_a_deferred_reply_is_the_plain_one(emulator: Emulator) -> None:
    """Deferred and at once, sync and async give one reply; both ask for the same but for a word."""
    model = ChatModel(emulator_settings(emulator))
    replies = []
    for plan in (None, SOON):
        emulator.reset()
        replies.append(model.generate(QUESTION, plan))
        emulator.reset()
        replies.append(asyncio.run(model.agenerate(QUESTION, plan)))
        first = emulator.requests[0].body
        assert first.pop("deferred", None) is (None if plan is None else True)
        assert first == {"model": "grok-4.3", "messages": ASKED}
    model.client.close()
    facts = {(r.text, r.usage, r.finish_reason, r.model) for r in replies}
    assert len(facts) == 1
    assert len({reply.id for reply in replies}) == 1
