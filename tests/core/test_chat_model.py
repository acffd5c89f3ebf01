"""Sync or async, streamed or not, a chat model returns the same response."""

import asyncio
import copy
import pickle
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core import sync_async
from tests.core.fake_server import TOKEN, Drop, FakeServer, json_reply, sse_reply
from tests.core.fake_server import Reply as ServerReply
from tests.core.test_stream_reader import BODY, CHUNKS, RESPONSE, STREAM_FORMATS, sse
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
REASONING, NON_REASONING = "grok-4.7", "grok-4.20-0309-non-reasoning"


@pytest.fixture
def model(gateway: FakeServer) -> Iterator[ChatModel]:
    """Return a model that is connected to the loopback server."""
    chat_model = ChatModel(
        Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0)
    )
    yield chat_model
    chat_model.client.close()


def build_request(**options: Any) -> ChatRequest:
    return ChatRequest(
        **{"model": REASONING, "messages": HELLO, "api": "chat_completions", **options}
    )


def accumulate(events: list[StreamEvent]) -> ChatResponse:
    accumulator = ResponseAccumulator()
    for event in events:
        accumulator.add(event)
    return accumulator.build_response()


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_generate(gateway: FakeServer, model: ChatModel, envelope: str) -> None:
    """Sync and async calls return the response in every envelope."""
    gateway.respond = lambda _request: json_reply(wrapped(BODY, envelope))
    assert sync_async.generate(model, build_request()) == (RESPONSE, RESPONSE)
    assert [request.json["model"] for request in gateway.requests] == [REASONING] * 2


@pytest.mark.parametrize("stream_format", STREAM_FORMATS)
@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", "text/plain"])
@pytest.mark.parametrize("size", [7, 10_000])
def test_stream(
    gateway: FakeServer, model: ChatModel, stream_format: str, content_type: str, size: int
) -> None:
    """Every stream format and content type accumulates to the response, sync and async."""
    if stream_format == "byte order mark" and content_type == "application/json":
        pytest.skip("JSON has no byte order mark")
    text = STREAM_FORMATS[stream_format]
    parts = [text[i : i + size] for i in range(0, len(text), size)]
    gateway.respond = lambda _request: ServerReply(parts, content_type=content_type)
    for events in sync_async.stream(model, build_request()):
        assert accumulate(events) == RESPONSE


FAILURES: list[tuple[Any, type[XAILowCodeError]]] = [
    (json_reply(refused({"error": "bad", "code": "invalid-argument"}), 400), BadRequestError),
    (json_reply(refused({"error": "slow"}), 429), RateLimitError),
    (json_reply({"code": "invalid-argument", "error": "bad"}), BadRequestError),
    (json_reply({"a": 1}), InvalidResponseError),
    (json_reply(""), InvalidResponseError),
    (sse_reply(b"<html>x</html>"), InvalidResponseError),
]


@pytest.mark.parametrize(("reply", "error_class"), FAILURES)
def test_all_methods_raise_the_same_error(
    gateway: FakeServer, model: ChatModel, reply: Any, error_class: type[XAILowCodeError]
) -> None:
    """All four methods raise the same error for the same HTTP response."""
    gateway.respond = lambda _request: reply

    async def generated() -> object:
        return await model.agenerate(build_request())

    async def streamed() -> object:
        return [event async for event in model.astream(build_request())]

    pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: model.generate(build_request()), lambda: asyncio.run(generated())),
        (lambda: list(model.stream(build_request())), lambda: asyncio.run(streamed())),
    ]
    for calls in pairs:
        texts = set()
        for call in calls:
            with pytest.raises(error_class) as raised:
                call()
            texts.add((str(raised.value), str(raised.value.body)))
        assert len(texts) == 1


@pytest.mark.parametrize("end", [0, 1, 3, 5])
@pytest.mark.parametrize("connection", ["closed", "ended"])
def test_an_interrupted_stream_raises(
    gateway: FakeServer, model: ChatModel, end: int, connection: str
) -> None:
    """A stream that ends before its finish reason raises, with its connection or without."""
    text = sse(CHUNKS[:end], done=False)
    gateway.respond = lambda _request: sse_reply(text, cut=connection == "closed")
    for read in (model.stream, lambda request: sync_async.stream(model, request)[1]):
        with pytest.raises(InvalidResponseError) as raised:
            list(read(build_request()))
        assert isinstance(raised.value, StreamInterruptedError) or end == 0
    assert len(gateway.requests) >= 2


@pytest.mark.parametrize("model_name", [REASONING, NON_REASONING])
@pytest.mark.parametrize("streamed", [False, True])
def test_stop_is_supported_for_every_model(
    gateway: FakeServer, model: ChatModel, model_name: str, streamed: bool
) -> None:
    """Stop sequences are sent to a model that supports them, and else applied client-side."""
    text = STREAM_FORMATS["live"]
    gateway.respond = lambda _request: sse_reply(text) if streamed else json_reply(BODY)
    request = build_request(model=model_name, stop=["😀"])
    responses = (
        [accumulate(events) for events in sync_async.stream(model, request)]
        if streamed
        else sync_async.generate(model, request)
    )
    sent = [request.json.get("stop") for request in gateway.requests]
    if model_name == REASONING:
        assert [(r.text, r.finish_reason, r.tool_calls) for r in responses] == [
            ("Grüße ", "stop", ())
        ] * 2
        assert sent == [None, None]
    else:
        assert [response.text for response in responses] == [RESPONSE.text] * 2
        assert sent == [["😀"], ["😀"]]


UNSUPPORTED = [
    (REASONING, "presence_penalty", 0.5),
    (REASONING, "frequency_penalty", -0.5),
    (NON_REASONING, "reasoning_effort", "low"),
    ("grok-build-0.1", "reasoning_effort", "low"),
    ("unheard-of", "presence_penalty", 1),
]


@pytest.mark.parametrize(("name", "option", "value"), UNSUPPORTED)
def test_unsupported_options_are_not_sent(
    gateway: FakeServer, model: ChatModel, name: str, option: str, value: Any
) -> None:
    """An unsupported option is dropped with one warning for each model and option."""
    gateway.respond = lambda _request: json_reply(BODY)
    request = build_request(model=name, **{option: value})
    with pytest.warns(UserWarning, match=f"{option}: not supported by {name}") as warned:
        sync_async.generate(model, request)
    assert len(warned) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sync_async.generate(model, request)
    assert all(option not in sent.json for sent in gateway.requests)
    with pytest.warns(UserWarning, match="not supported by unheard-of-2"):
        model.generate(build_request(model="unheard-of-2", presence_penalty=1))


@pytest.mark.parametrize("option", ["presence_penalty", "frequency_penalty"])
def test_a_neutral_penalty_is_dropped_without_warning(
    gateway: FakeServer, model: ChatModel, option: str
) -> None:
    """A penalty of zero is dropped without a warning for a model that rejects it."""
    gateway.respond = lambda _request: json_reply(BODY)
    model.generate(build_request(**{option: 0.0}))
    model.generate(build_request(model=NON_REASONING, **{option: 0.0}))
    assert [sent.json.get(option) for sent in gateway.requests] == [None, 0.0]


def test_an_invalid_request_raises_before_sending(gateway: FakeServer, model: ChatModel) -> None:
    """All methods raise at once for a request that cannot be serialized, streams too."""
    invalid_request = build_request(extra={"x": float("nan")})
    for call in (
        model.generate,
        model.stream,
        model.astream,
        lambda r: sync_async.generate(model, r),
    ):
        with pytest.raises(UsageError) as raised:
            call(invalid_request)
        assert raised.value.field == "x"
    assert gateway.requests == []


def test_closing_a_stream_closes_its_connection(gateway: FakeServer, model: ChatModel) -> None:
    """Closing a stream before its end closes the connection, sync and async."""
    gateway.respond = lambda _request: sse_reply(sse(CHUNKS[:3], done=False), stall=True)
    events = model.stream(build_request())
    next(events)
    assert gateway.current_connections == 1
    events.close()
    assert gateway.open_connections == 0

    async def leave() -> None:
        events = model.astream(build_request())
        await anext(events)
        await events.aclose()

    asyncio.run(leave())
    assert gateway.open_connections == 0


def test_a_stopped_stream_is_not_read_to_its_end(gateway: FakeServer, model: ChatModel) -> None:
    """After a stop sequence the connection is closed, although the server would continue."""
    gateway.respond = lambda _request: sse_reply(sse(CHUNKS[:3], done=False), stall=True)
    for events in sync_async.stream(model, build_request(stop=["üße"])):
        assert accumulate(events).text == "Gr"
    assert gateway.open_connections == 0


@pytest.mark.parametrize(
    "copy_model",
    [copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))],  # noqa: S301 - just written
)
def test_copies_and_pickles(gateway: FakeServer, model: ChatModel, copy_model: Any) -> None:
    """A copied or unpickled model sends to the same gateway with the same token."""
    gateway.respond = lambda _request: json_reply(BODY)
    assert model.generate(build_request()) == RESPONSE
    copied = copy_model(model)
    assert copied.generate(build_request()) == RESPONSE
    copied.client.close()
    assert TOKEN in gateway.requests[1].target


def test_response_headers(gateway: FakeServer, model: ChatModel) -> None:
    """Headers in the envelope and the gateway's own headers are in the response."""
    body = {"result": BODY, "provider": "xai", "response_headers": {"X-Request-ID": "r1"}}
    gateway.respond = lambda _request: json_reply(body, headers=(("X-Own", "g"),))
    for response in sync_async.generate(model, build_request()):
        assert (response.headers["x-request-id"], response.headers["x-own"]) == ("r1", "g")


def test_a_dropped_connection_raises_a_library_error(gateway: FakeServer, model: ChatModel) -> None:
    """A dropped connection raises a library error for all methods."""
    gateway.respond = lambda _request: Drop()
    for call in (sync_async.generate, sync_async.stream):
        with pytest.raises(XAILowCodeError):
            call(model, build_request())
