"""Law: asked in whatever way, sync or async, whole or streamed, a model gives one reply."""

import asyncio
import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core import twins
from tests.core.loopback import TOKEN, Drop, Loopback, json_reply, sse_reply
from tests.core.loopback import Reply as Said
from tests.core.test_stream_reader import CHUNKS, FORMS, PLAIN, REPLY, sse
from tests.core.wire import ENVELOPES, refused, wrapped
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import (
    BadRequestError,
    InvalidResponseError,
    RateLimitError,
    StreamInterruptedError,
    UsageError,
    XAILowCodeError,
)
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

HELLO = (Message("user", (TextPart("Hello"),)),)
REASONING, OTHER = "grok-4.7", "grok-4.20-0309-non-reasoning"


@pytest.fixture
def model(gateway: Loopback) -> Iterator[ChatModel]:
    """A model behind the loopback server."""
    made = ChatModel(Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0))
    yield made
    made.client.close()


def ask(**options: Any) -> ChatRequest:
    return ChatRequest(**{"model": REASONING, "messages": HELLO, **options})


def fold(events: list[StreamEvent]) -> ChatResponse:
    assembler = ResponseAccumulator()
    for event in events:
        assembler.add(event)
    return assembler.build_response()


@pytest.mark.parametrize("how", ENVELOPES)
def test_whole_replies(gateway: Loopback, model: ChatModel, how: str) -> None:
    """In every envelope both ways to ask for a whole reply give it."""
    gateway.play = lambda _request: json_reply(wrapped(PLAIN, how))
    assert twins.generate(model, ask()) == (REPLY, REPLY)
    assert [request.json["model"] for request in gateway.requests] == [REASONING] * 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("size", [7, 10_000])
def test_streams(
    gateway: Loopback, model: ChatModel, form: str, content_type: str, size: int
) -> None:
    """Every form of stream, whatever it calls itself, folds into the whole reply in both ways."""
    if form == "byte order mark" and content_type == "application/json":
        pytest.skip("JSON has no byte order mark")
    text = FORMS[form]
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    gateway.play = lambda _request: Said(pieces, content_type=content_type)
    for events in twins.stream(model, ask()):
        assert fold(events) == REPLY


FAILURES: list[tuple[Any, type[XAILowCodeError]]] = [
    (json_reply(refused({"error": "bad", "code": "invalid-argument"}), 400), BadRequestError),
    (json_reply(refused({"error": "slow"}), 429), RateLimitError),
    (json_reply({"code": "invalid-argument", "error": "bad"}), BadRequestError),
    (json_reply({"a": 1}), InvalidResponseError),
    (json_reply(""), InvalidResponseError),
    (sse_reply(b"<html>x</html>"), InvalidResponseError),
]


@pytest.mark.parametrize(("move", "kind"), FAILURES)
def test_failures_are_the_same_in_all_four_ways(
    gateway: Loopback, model: ChatModel, move: Any, kind: type[XAILowCodeError]
) -> None:
    """One refusal is one error, whichever way it was asked for."""
    gateway.play = lambda _request: move

    async def whole() -> object:
        return await model.agenerate(ask())

    async def streamed() -> object:
        return [event async for event in model.astream(ask())]

    pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: model.generate(ask()), lambda: asyncio.run(whole())),
        (lambda: list(model.stream(ask())), lambda: asyncio.run(streamed())),
    ]
    for ways in pairs:
        texts = set()
        for way in ways:
            with pytest.raises(kind) as raised:
                way()
            texts.add((str(raised.value), str(raised.value.body)))
        assert len(texts) == 1


@pytest.mark.parametrize("end", [0, 1, 3, 5])
@pytest.mark.parametrize("how", ["closed", "ended"])
def test_a_stream_that_breaks_off_raises(
    gateway: Loopback, model: ChatModel, end: int, how: str
) -> None:
    """A stream cut before its finish raises, whether its connection breaks or it just ends."""
    text = sse(CHUNKS[:end], done=False)
    gateway.play = lambda _request: sse_reply(text, cut=how == "closed")
    for read in (model.stream, lambda request: twins.stream(model, request)[1]):
        with pytest.raises(InvalidResponseError) as raised:
            list(read(ask()))
        assert isinstance(raised.value, StreamInterruptedError) or end == 0
    assert len(gateway.requests) >= 2


@pytest.mark.parametrize("model_name", [REASONING, OTHER])
@pytest.mark.parametrize("streamed", [False, True])
def test_stop_works_on_every_model(
    gateway: Loopback, model: ChatModel, model_name: str, streamed: bool
) -> None:
    """A model that takes stop strings is sent them; for one that refuses them we cut."""
    text = FORMS["live"]
    gateway.play = lambda _request: sse_reply(text) if streamed else json_reply(PLAIN)
    request = ask(model=model_name, stop=["😀"])
    replies = (
        [fold(events) for events in twins.stream(model, request)]
        if streamed
        else twins.generate(model, request)
    )
    sent = [request.json.get("stop") for request in gateway.requests]
    if model_name == REASONING:
        assert [(r.text, r.finish_reason, r.tool_calls) for r in replies] == [
            ("Grüße ", "stop", ())
        ] * 2
        assert sent == [None, None]
    else:
        assert [reply.text for reply in replies] == [REPLY.text] * 2
        assert sent == [["😀"], ["😀"]]


REFUSED = [
    (REASONING, "presence_penalty", 0.5),
    (REASONING, "frequency_penalty", -0.5),
    (OTHER, "reasoning_effort", "low"),
    ("grok-build-0.1", "reasoning_effort", "low"),
    ("unheard-of", "presence_penalty", 1),
]


@pytest.mark.parametrize(("name", "option", "value"), REFUSED)
def test_what_a_model_refuses_is_not_sent(
    gateway: Loopback, model: ChatModel, name: str, option: str, value: Any
) -> None:
    """A refused option is left out, with one warning for each model and option."""
    gateway.play = lambda _request: json_reply(PLAIN)
    request = ask(model=name, **{option: value})
    with pytest.warns(UserWarning, match=f"{option}: not supported by {name}") as said:
        twins.generate(model, request)
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        twins.generate(model, request)
    assert all(option not in sent.json for sent in gateway.requests)
    with pytest.warns(UserWarning, match="not supported by unheard-of-2"):
        model.generate(ask(model="unheard-of-2", presence_penalty=1))


@pytest.mark.parametrize("option", ["presence_penalty", "frequency_penalty"])
def test_a_penalty_of_nothing_is_dropped_in_silence(
    gateway: Loopback, model: ChatModel, option: str
) -> None:
    """Zero says nothing, so leaving it out for a model that refuses the name needs no warning."""
    gateway.play = lambda _request: json_reply(PLAIN)
    model.generate(ask(**{option: 0.0}))
    model.generate(ask(model=OTHER, **{option: 0.0}))
    assert [sent.json.get(option) for sent in gateway.requests] == [None, 0.0]


def test_what_is_wrong_is_said_before_anything_is_sent(gateway: Loopback, model: ChatModel) -> None:
    """A request that cannot be written is refused at once in all ways, lazy streams too."""
    bad = ask(messages=(Message("user", (TextPart("\ud800"),)),))
    for way in (model.generate, model.stream, model.astream, lambda r: twins.generate(model, r)):
        with pytest.raises(UsageError) as refusal:
            way(bad)
        assert refusal.value.field == "messages[0].content"
    assert gateway.requests == []


def test_leaving_a_stream_closes_its_connection(gateway: Loopback, model: ChatModel) -> None:
    """A reader that goes away in the middle leaves no open connection, sync and async."""
    gateway.play = lambda _request: sse_reply(sse(CHUNKS[:3], done=False), stall=True)
    events = model.stream(ask())
    next(events)
    assert gateway.open_connections == 1
    events.close()
    assert gateway.open_connections == 0

    async def leave() -> None:
        events = model.astream(ask())
        await anext(events)
        await events.aclose()

    asyncio.run(leave())
    assert gateway.open_connections == 0


def test_a_stopped_stream_is_not_read_to_its_end(gateway: Loopback, model: ChatModel) -> None:
    """After the stop string the connection is closed, though the other side would go on."""
    gateway.play = lambda _request: sse_reply(sse(CHUNKS[:3], done=False), stall=True)
    for events in twins.stream(model, ask(stop=["üße"])):
        assert fold(events).text == "Gr"
    assert gateway.open_connections == 0


@pytest.mark.parametrize(
    "travel",
    [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],  # noqa: S301 - just written
)
def test_models_travel(gateway: Loopback, model: ChatModel, travel: Any) -> None:
    """A copied or pickled model asks the same gateway with the same token."""
    gateway.play = lambda _request: json_reply(PLAIN)
    assert model.generate(ask()) == REPLY
    other = travel(model)
    assert other.generate(ask()) == REPLY
    other.client.close()
    assert TOKEN in gateway.requests[1].target


def test_reply_headers_are_those_of_xai(gateway: Loopback, model: ChatModel) -> None:
    """Headers inside the envelope are the reply's, and the gateway's own are beside them."""
    body = {"result": PLAIN, "provider": "xai", "response_headers": {"X-Request-ID": "r1"}}
    gateway.play = lambda _request: json_reply(body, headers=(("X-Own", "g"),))
    for reply in twins.generate(model, ask()):
        assert (reply.headers["x-request-id"], reply.headers["x-own"]) == ("r1", "g")


def test_a_lost_gateway_is_no_crash(gateway: Loopback, model: ChatModel) -> None:
    """A dropped connection is one of our errors in all ways."""
    gateway.play = lambda _request: Drop()
    for way in (twins.generate, twins.stream):
        with pytest.raises(XAILowCodeError):
            way(model, ask())
