"""An error that a stream reports before any content is retried like a 5xx.

A scripted server counts the requests. Delays are recorded instead of waited for.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from llama_index.core.llms import ChatMessage

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from tests.core import twins
from tests.core.held import Held, free
from tests.core.loopback import TOKEN, Drop, Loopback, Move, json_reply, sse_reply
from tests.core.test_stream_ends import APIS, COMPLETED, TEXT, blocks, sse
from tests.core.wire import refused
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import (
    APITimeoutError,
    BadRequestError,
    InternalServerError,
    RateLimitError,
    StreamInterruptedError,
    XAILowCodeError,
)
from xai_lowcode.protocol.steps import Flow, Sleep
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import ResponseStarted, StreamEvent, TextDelta
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

BUSY = "The model is currently at capacity due to high demand. Please try again in a few minutes."
API_NAMES = ("chat_completions", "messages", "responses")
every_api = pytest.mark.parametrize("api", API_NAMES)
# Formats in which xAI reports an error: documented, recorded, or reported by other projects.
ERROR_EVENTS: dict[str, bytes] = {
    "event": sse({"type": "error", "message": BUSY}),
    "event with an error": sse({"type": "error", "error": {"message": BUSY}}),
    "body": sse({"code": "The service is currently unavailable", "error": BUSY}),
    "named": sse({"message": BUSY}, "error"),
    "named event": sse({"type": "error", "message": BUSY}, "error"),
    "JSON": json.dumps({"code": "unavailable", "error": BUSY}).encode(),
}
FAILED = {
    **COMPLETED,
    "status": "failed",
    "output": [],
    "error": {"code": "server_error", "message": BUSY},
}
FAILED_EVENT = sse({"type": "response.failed", "response": FAILED}, "response.failed")
INVALID_REQUEST = {"code": "invalid-argument", "error": "Invalid arguments."}
HELLO = (Message("user", (TextPart("Hello"),)),)
# Number of events of a stream before its content.
EVENTS_BEFORE_CONTENT = {"chat_completions": 1, "messages": 3, "responses": 3}


def complete_stream(api: str) -> Move:
    """Return a complete stream."""
    return sse_reply(blocks(APIS[api], len(APIS[api].events)))


def failing_stream(api: str, error: bytes, after: int = 0) -> Move:
    """Return a stream that reports an error after some events."""
    return sse_reply([*blocks(APIS[api], after), error])


@contextmanager
def connect(gateway: Loopback, **options: Any) -> Iterator[ChatModel]:
    """Yield a model without jitter."""
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)
    model = ChatModel(settings)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    try:
        yield model
    finally:
        model.client.close()


def build_request(api: str, **options: Any) -> ChatRequest:
    """Return a request for one API."""
    return ChatRequest(model="grok-4.7", messages=HELLO, **{"api": api, **options})


def stream_sync(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """Return all events of a stream."""
    return list(model.stream(request))


def stream_async(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """Return all events of an async stream."""

    async def read() -> list[StreamEvent]:
        return [event async for event in model.astream(request)]

    return asyncio.run(read())


ReadStream = Callable[[ChatModel, ChatRequest], list[StreamEvent]]
sync_and_async = pytest.mark.parametrize("read", [stream_sync, stream_async])


def get_text(events: Sequence[StreamEvent]) -> str:
    """Return the text of a stream."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def check_complete(events: Sequence[StreamEvent]) -> None:
    """Check that the response is complete and started once."""
    assert get_text(events) == TEXT
    assert sum(isinstance(event, ResponseStarted) for event in events) == 1
    assert isinstance(events[0], ResponseStarted)


CASES = [(api, name) for api in API_NAMES for name in ERROR_EVENTS] + [("responses", "failure")]


@sync_and_async
@pytest.mark.parametrize(("api", "error_format"), CASES)
def test_an_error_before_content_is_retried(
    gateway: Loopback, api: str, error_format: str, read: ReadStream
) -> None:
    """An error after any event without content is retried; the response starts once."""
    error = ERROR_EVENTS.get(error_format, FAILED_EVENT)
    with connect(gateway, max_retries=1) as model:
        # A JSON response has no events before it.
        for after in range(1 if error_format == "JSON" else EVENTS_BEFORE_CONTENT[api] + 1):
            gateway.script([failing_stream(api, error, after), complete_stream(api)])
            check_complete(read(model, build_request(api)))
            assert len(gateway.requests) == 2
            assert gateway.requests[0].body == gateway.requests[1].body


@sync_and_async
@pytest.mark.parametrize(("api", "error_format"), CASES)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_max_retries(
    gateway: Loopback, api: str, error_format: str, retries: int, read: ReadStream
) -> None:
    """After max_retries retries the error is raised."""
    gateway.play = lambda _request: failing_stream(
        api, ERROR_EVENTS.get(error_format, FAILED_EVENT)
    )
    with (
        connect(gateway, max_retries=retries) as model,
        pytest.raises(InternalServerError, match="at capacity") as raised,
    ):
        read(model, build_request(api))
    assert len(gateway.requests) == retries + 1
    assert raised.value.is_retryable
    assert raised.value.status_code == 200


OTHER_FAILURES: dict[str, Callable[[str], Move]] = {
    "503": lambda _api: json_reply(refused({"error": "Busy."}), 503),
    "429": lambda _api: json_reply(refused({"error": "Slow down."}), 429),
    "200 with an error": lambda _api: json_reply({"code": "unavailable", "error": BUSY}),
    "the same": lambda api: failing_stream(api, ERROR_EVENTS["event"]),
}


@sync_and_async
@every_api
@pytest.mark.parametrize("other", OTHER_FAILURES)
def test_http_errors_and_stream_errors_share_the_retries(
    gateway: Loopback, api: str, other: str, read: ReadStream
) -> None:
    """HTTP errors and errors in streams count as attempts of one call, in any order."""
    in_stream, other_failure = (
        failing_stream(api, ERROR_EVENTS["event"]),
        OTHER_FAILURES[other](api),
    )
    for moves in ([in_stream, other_failure], [other_failure, in_stream]):
        with connect(gateway, max_retries=2) as model:
            gateway.script([*moves, complete_stream(api)])
            check_complete(read(model, build_request(api)))
            assert len(gateway.requests) == 3
        with connect(gateway, max_retries=1) as model:
            gateway.script([*moves, complete_stream(api)])
            with pytest.raises(XAILowCodeError):
                read(model, build_request(api))
            assert len(gateway.requests) == 2


@sync_and_async
def test_connection_errors_share_the_retries(gateway: Loopback, read: ReadStream) -> None:
    """A connection error counts as an attempt of the same call."""
    moves = [
        Drop(),
        failing_stream("responses", ERROR_EVENTS["event"]),
        complete_stream("responses"),
    ]
    for retries, expected in ((2, 3), (1, 2)):
        gateway.script(moves)
        with connect(gateway, max_retries=retries) as model:
            if retries == 2:
                check_complete(read(model, build_request("responses")))
            else:
                with pytest.raises(InternalServerError):
                    read(model, build_request("responses"))
        assert len(gateway.requests) == expected


NOT_RETRIED: dict[str, tuple[Callable[[str], Move], type[XAILowCodeError]]] = {
    "bad request": (lambda api: failing_stream(api, sse(INVALID_REQUEST)), BadRequestError),
    "bad request as an event": (
        lambda api: failing_stream(
            api, sse({"type": "error", "code": "invalid_prompt", "message": "No"})
        ),
        BadRequestError,
    ),
    "bad request by its number": (
        lambda api: failing_stream(api, sse({"statusCode": 400, "message": "No"})),
        BadRequestError,
    ),
    "after content": (
        lambda api: failing_stream(api, ERROR_EVENTS["event"], EVENTS_BEFORE_CONTENT[api] + 1),
        InternalServerError,
    ),
    "failure after content": (
        lambda api: failing_stream(api, sse({"error": BUSY}), EVENTS_BEFORE_CONTENT[api] + 2),
        InternalServerError,
    ),
    "ended at once": (lambda _api: sse_reply(b": ping\n\n"), StreamInterruptedError),
    "ended before content": (
        lambda api: sse_reply(blocks(APIS[api], EVENTS_BEFORE_CONTENT[api])),
        StreamInterruptedError,
    ),
    "connection lost": (
        lambda api: sse_reply(blocks(APIS[api], EVENTS_BEFORE_CONTENT[api]), cut=True),
        StreamInterruptedError,
    ),
    "[DONE] without a finish": (
        lambda api: sse_reply(
            [*blocks(APIS[api], EVENTS_BEFORE_CONTENT[api] + 1), b"data: [DONE]\n\n"]
        ),
        StreamInterruptedError,
    ),
}


@sync_and_async
@every_api
@pytest.mark.parametrize("name", NOT_RETRIED)
def test_other_errors_are_not_retried(
    gateway: Loopback, api: str, name: str, read: ReadStream
) -> None:
    """Invalid requests, errors after content and interrupted streams are not retried."""
    move, kind = NOT_RETRIED[name]
    gateway.script([move(api), complete_stream(api)])
    with connect(gateway, max_retries=3) as model, pytest.raises(kind):
        read(model, build_request(api))
    assert len(gateway.requests) == 1


@every_api
@pytest.mark.parametrize("stop", ["e a", "zzz"])
def test_retries_with_stop_sequences(gateway: Loopback, api: str, stop: str) -> None:
    """Buffered text that may become a stop sequence counts as content."""
    with connect(gateway, max_retries=1) as model:
        for read in (stream_sync, stream_async):
            gateway.script(
                [
                    failing_stream(api, ERROR_EVENTS["event"], EVENTS_BEFORE_CONTENT[api]),
                    complete_stream(api),
                ]
            )
            expected = "Grüß" if stop == "e a" else TEXT
            assert get_text(read(model, build_request(api, stop=(stop,)))) == expected
            assert len(gateway.requests) == 2
            gateway.script(
                [
                    failing_stream(api, ERROR_EVENTS["event"], EVENTS_BEFORE_CONTENT[api] + 1),
                    complete_stream(api),
                ]
            )
            with pytest.raises(InternalServerError):
                read(model, build_request(api, stop=("Grr",)))
            assert len(gateway.requests) == 1


def record_delays(model: ChatModel, callback: Callable[[], None] = lambda: None) -> list[float]:
    """Record the delays of both clients of a model instead of waiting."""
    delays: list[float] = []

    def record(flow: Flow[Any]) -> None:
        for step in flow:
            assert isinstance(step, Sleep)
            delays.append(step.seconds)
            callback()

    async def record_async(flow: Flow[Any]) -> None:
        record(flow)

    model.client.execute = record  # type: ignore[method-assign,assignment]
    model.async_client.execute = record_async  # type: ignore[method-assign,assignment]
    return delays


def rate_limited_stream(location: str, seconds: float) -> Move:
    """Return a stream that reports a rate limit with ``Retry-After``."""
    error: Any = {"code": "rate_limit_error", "error": "Slow down."}
    headers: tuple[tuple[str, str], ...] = ()
    if location == "body":
        error = refused(error, {"Retry-After": f"{seconds:g}"})
    else:
        headers = (("Retry-After", f"{seconds:g}"), ("X-Request-Id", "r7"))
    return sse_reply(sse(error), headers=headers)


@sync_and_async
@pytest.mark.parametrize("location", ["body", "header"])
def test_retry_after(gateway: Loopback, location: str, read: ReadStream) -> None:
    """``Retry-After`` applies, in the event or in the HTTP headers."""
    with connect(gateway, max_retries=1) as model:
        delays = record_delays(model)
        gateway.script([rate_limited_stream(location, 7), complete_stream("responses")])
        check_complete(read(model, build_request("responses")))
        assert delays == [7.0]
        gateway.script([rate_limited_stream(location, 7), rate_limited_stream(location, 8)])
        with pytest.raises(RateLimitError) as raised:
            read(model, build_request("responses"))
    assert delays == [7.0, 7.0]
    assert raised.value.retry_after == 8.0
    assert raised.value.request_id == ("r7" if location == "header" else None)


@sync_and_async
def test_no_delay_beyond_the_deadline(gateway: Loopback, read: ReadStream) -> None:
    """A delay that would end after the deadline raises at once."""
    with connect(gateway, max_retries=5, deadline=6.0) as model:
        delays = record_delays(model)
        gateway.script([rate_limited_stream("header", 7), complete_stream("responses")])
        with pytest.raises(RateLimitError) as raised:
            read(model, build_request("responses"))
    assert "Not retried" in raised.value.__notes__[0]
    assert (delays, len(gateway.requests)) == ([], 1)


@sync_and_async
def test_the_deadline_applies_to_all_attempts(gateway: Loopback, read: ReadStream) -> None:
    """The deadline includes the delays between attempts."""
    now = 0.0

    def clock() -> float:
        return now

    def advance() -> None:
        nonlocal now
        now += 4.0

    with connect(gateway, max_retries=5, deadline=10.0) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), clock=clock))
        record_delays(model, advance)
        gateway.play = lambda _request: failing_stream("responses", ERROR_EVENTS["event"])
        with pytest.raises(APITimeoutError, match=r"deadline of 10\.0 s"):
            read(model, build_request("responses"))
    assert len(gateway.requests) == 3


@sync_and_async
def test_exponential_backoff_with_full_jitter(gateway: Loopback, read: ReadStream) -> None:
    """The maximum delay doubles with each attempt."""
    with connect(gateway, max_retries=3) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.5))
        delays = record_delays(model)
        gateway.play = lambda _request: failing_stream("responses", ERROR_EVENTS["event"])
        with pytest.raises(InternalServerError):
            read(model, build_request("responses"))
    assert delays == [0.25, 0.5, 1.0]


@sync_and_async
@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_retries_are_logged_without_the_token(
    gateway: Loopback, caplog: pytest.LogCaptureFixture, read: ReadStream, token: str
) -> None:
    """Each retry is logged once at INFO, without the token."""
    failure = {**FAILED, "error": {"code": "server_error", "message": f"Busy {token}"}}
    error = sse({"type": "response.failed", "response": failure})
    settings = Settings.create(api_token=token, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings)
    record_delays(model)
    gateway.play = lambda _request: failing_stream("responses", error)
    with caplog.at_level(logging.INFO, "xai_lowcode"), pytest.raises(InternalServerError) as raised:
        read(model, build_request("responses"))
    model.client.close()
    (line,) = [record for record in caplog.records if "retrying in" in record.message]
    assert line.levelno == logging.INFO
    assert line.message.startswith("Create New Response: Busy [redacted]")
    assert token not in caplog.text + str(raised.value) + str(vars(raised.value))


class Counter:
    """A rate limiter that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def acquire(self) -> bool:
        """Count a call."""
        self.calls += 1
        return True

    async def aacquire(self) -> bool:
        """Count an async call."""
        return self.acquire()


@sync_and_async
@pytest.mark.parametrize("by_framework", [False, True])
def test_the_rate_limiter_is_used_for_each_attempt(
    gateway: Loopback, read: ReadStream, *, by_framework: bool
) -> None:
    """The rate limiter is used for each attempt, if not by the framework for the first one."""
    counter = Counter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=2)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=by_framework)
    record_delays(model)
    gateway.script(
        [failing_stream("responses", ERROR_EVENTS["event"])] * 2 + [complete_stream("responses")]
    )
    check_complete(read(model, build_request("responses")))
    model.client.close()
    assert counter.calls == 3 - by_framework


@pytest.mark.parametrize("by_framework", [False, True])
def test_the_rate_limiter_is_used_without_streaming(
    gateway: Loopback, *, by_framework: bool
) -> None:
    """The rate limiter is used for retries of failed responses without streaming, too."""
    counter = Counter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=by_framework)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    gateway.script([json_reply(FAILED), json_reply(COMPLETED)])
    assert model.generate(build_request("responses")).text == TEXT
    model.client.close()
    assert counter.calls == 2 - by_framework


@sync_and_async
def test_a_delay_holds_no_slot(read: ReadStream) -> None:
    """The concurrency slot of a call is free during a delay and after the call."""
    moves = [failing_stream("responses", ERROR_EVENTS["event"])] * 2 + [
        complete_stream("responses")
    ]
    held = Held(0.0, lambda _request: moves.pop(0))  # type: ignore[arg-type,return-value]
    settings = Settings.create(
        api_token=TOKEN, base_url="http://127.0.0.1:1/xai", max_concurrency=1, max_retries=2
    )
    model = ChatModel(
        settings,
        http_client=httpx.Client(transport=held),
        http_async_client=httpx.AsyncClient(transport=held),
    )
    limits: Any = model.client.limits
    free_slots: list[int] = []
    delays = record_delays(model, lambda: free_slots.append(free(limits)))
    check_complete(read(model, build_request("responses")))
    assert (free_slots, len(delays), held.flight.sent, held.flight.now) == ([1, 1], 2, 3, 0)
    assert free(limits) == 1


FAILED_RESPONSES: dict[str, Any] = {
    "failed": FAILED,
    "failed with output": {**COMPLETED, "status": "failed", "error": FAILED["error"]},
    "error inside a 200": {"code": "The service is currently unavailable", "error": BUSY},
}


@pytest.mark.parametrize("name", FAILED_RESPONSES)
def test_a_failed_response_is_retried(gateway: Loopback, name: str) -> None:
    """``status: failed`` with a transient error is retried, without streaming too."""
    failed = json_reply(FAILED_RESPONSES[name])
    with connect(gateway, max_retries=1) as model:
        gateway.script([failed, json_reply(COMPLETED)] * 2)
        assert [
            response.text for response in twins.generate(model, build_request("responses"))
        ] == [TEXT] * 2
        assert len(gateway.requests) == 4
        gateway.script([failed] * 4)
        for _ in range(2):
            with pytest.raises(InternalServerError, match="at capacity"):
                model.generate(build_request("responses"))
        assert len(gateway.requests) == 4


@pytest.mark.parametrize("other", [name for name in OTHER_FAILURES if name != "the same"])
def test_http_errors_and_failed_responses_share_the_retries(gateway: Loopback, other: str) -> None:
    """HTTP errors and failed responses count as attempts of one call."""
    other_failure = OTHER_FAILURES[other]("responses")
    for moves in ([json_reply(FAILED), other_failure], [other_failure, json_reply(FAILED)]):
        for retries, expected in ((2, 3), (1, 2)):
            gateway.script([*moves, json_reply(COMPLETED)])
            with connect(gateway, max_retries=retries) as model:
                if retries == 2:
                    assert model.generate(build_request("responses")).text == TEXT
                else:
                    with pytest.raises(XAILowCodeError):
                        model.generate(build_request("responses"))
            assert len(gateway.requests) == expected


def test_a_failed_response_to_an_invalid_request_is_not_retried(
    gateway: Loopback,
) -> None:
    """``status: failed`` with a bad request is raised at once, with the request id."""
    body = {**FAILED, "error": {"code": "invalid_prompt", "message": "No"}}
    gateway.script([json_reply(body, headers=(("X-Request-Id", "r9"),))])
    with connect(gateway, max_retries=3) as model, pytest.raises(BadRequestError) as raised:
        model.generate(build_request("responses"))
    assert len(gateway.requests) == 1
    assert raised.value.request_id == "r9"


UNSUPPORTED = {
    "code": "invalid-argument",
    "error": "Argument not supported on this model: topP",
}


@sync_and_async
@pytest.mark.parametrize("after", [0, 3])
def test_a_rejected_option_is_dropped_once(gateway: Loopback, read: ReadStream, after: int) -> None:
    """A request without an option that the stream rejects does not count as a retry."""
    with connect(gateway, max_retries=0) as model:
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), after), complete_stream("responses")]
        )
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            check_complete(read(model, build_request("responses", top_p=0.5)))
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), after), complete_stream("responses")]
        )
        with pytest.raises(BadRequestError):
            read(model, build_request("responses"))
        assert len(gateway.requests) == 1


@sync_and_async
def test_an_option_that_is_rejected_after_content_raises(
    gateway: Loopback, read: ReadStream
) -> None:
    """A rejection after content raises."""
    with connect(gateway, max_retries=3) as model:
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), 4), complete_stream("responses")]
        )
        with pytest.raises(BadRequestError):
            read(model, build_request("responses", top_p=0.5))
        assert len(gateway.requests) == 1


def test_an_option_that_a_failed_response_rejects_is_dropped(
    gateway: Loopback,
) -> None:
    """A rejected option is dropped without streaming, too."""
    error = {"code": "invalid_request_error", "message": UNSUPPORTED["error"]}
    with connect(gateway, max_retries=0) as model:
        gateway.script([json_reply({**FAILED, "error": error}), json_reply(COMPLETED)])
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            assert model.generate(build_request("responses", top_p=0.5)).text == TEXT
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]


@contextmanager
def no_delays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the delays of models to zero."""
    with monkeypatch.context() as patch:
        patch.setattr("random.random", lambda: 0.0)
        yield


def langchain_stream(options: dict[str, Any]) -> str:
    """Return the text of LangChain's sync stream."""
    return "".join(chunk.text for chunk in ChatXAILowCode(**options).stream("Hi"))


def langchain_astream(options: dict[str, Any]) -> str:
    """Return the text of LangChain's async stream."""

    async def read() -> str:
        model = ChatXAILowCode(**options)
        try:
            return "".join([chunk.text async for chunk in model.astream("Hi")])
        finally:
            await model.aclose()

    return asyncio.run(read())


def llama_index_stream(options: dict[str, Any]) -> str:
    """Return the text of LlamaIndex's sync stream."""
    chunks = XAILowCode(**options).stream_chat([ChatMessage("Hi")])
    return "".join(chunk.delta or "" for chunk in chunks)


def llama_index_astream(options: dict[str, Any]) -> str:
    """Return the text of LlamaIndex's async stream."""

    async def read() -> str:
        model = XAILowCode(**options)
        try:
            chunks = await model.astream_chat([ChatMessage("Hi")])
            return "".join([chunk.delta or "" async for chunk in chunks])
        finally:
            await model.aclose()

    return asyncio.run(read())


FRAMEWORKS = (langchain_stream, langchain_astream, llama_index_stream, llama_index_astream)


@pytest.mark.parametrize("read", FRAMEWORKS)
@every_api
def test_frameworks_retry_streams(
    gateway: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    read: Callable[[dict[str, Any]], str],
) -> None:
    """Both frameworks retry a stream twice, and not more often."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": api}
    failed = failing_stream(api, ERROR_EVENTS["event with an error"], EVENTS_BEFORE_CONTENT[api])
    with no_delays(monkeypatch):
        gateway.script([failed, failed, complete_stream(api)])
        assert read(options) == TEXT
        assert len(gateway.requests) == 3
        gateway.script([failed] * 9)
        with pytest.raises(InternalServerError, match="at capacity"):
            read(options)
        assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    "generate",
    [
        lambda options: ChatXAILowCode(**options).invoke("Hi").text,
        lambda options: XAILowCode(**options).chat([ChatMessage("Hi")]).message.content,
    ],
)
def test_frameworks_retry_responses(
    gateway: Loopback, monkeypatch: pytest.MonkeyPatch, generate: Callable[[dict[str, Any]], str]
) -> None:
    """Both frameworks retry a failed response without streaming."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": "responses"}
    with no_delays(monkeypatch):
        gateway.script([json_reply(FAILED), json_reply(FAILED), json_reply(COMPLETED)])
        assert generate(options) == TEXT
        assert len(gateway.requests) == 3
