"""An error that a stream reports before any content is retried, like a 5xx response.

The requests are sent to a scripted server, which counts them. Delays are recorded where they are
tested.
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
from tests.core import sync_async
from tests.core.counting_transport import CountingTransport, count_free_slots
from tests.core.fake_server import TOKEN, Action, Drop, FakeServer, json_reply, sse_reply
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

OVERLOADED = (
    "The model is currently at capacity due to high demand. Please try again in a few minutes."
)
API_NAMES = ("chat_completions", "messages", "responses")
every_api = pytest.mark.parametrize("api", API_NAMES)
# Formats in which xAI reports the error: documented, recorded, or reported by others.
ERROR_FORMATS: dict[str, bytes] = {
    "event": sse({"type": "error", "message": OVERLOADED}),
    "event with an error": sse({"type": "error", "error": {"message": OVERLOADED}}),
    "body": sse({"code": "The service is currently unavailable", "error": OVERLOADED}),
    "named": sse({"message": OVERLOADED}, "error"),
    "named event": sse({"type": "error", "message": OVERLOADED}, "error"),
    "JSON": json.dumps({"code": "unavailable", "error": OVERLOADED}).encode(),
}
FAILED_RESPONSE = {
    **COMPLETED,
    "status": "failed",
    "output": [],
    "error": {"code": "server_error", "message": OVERLOADED},
}
FAILED_EVENT = sse({"type": "response.failed", "response": FAILED_RESPONSE}, "response.failed")
INVALID_ARGUMENT = {"code": "invalid-argument", "error": "Invalid arguments."}
HELLO = (Message("user", (TextPart("Hello"),)),)
# Number of events before the first content.
EVENTS_BEFORE_CONTENT = {"chat_completions": 1, "messages": 3, "responses": 3}


def complete_stream(api: str) -> Action:
    """Return a complete stream."""
    return sse_reply(blocks(APIS[api], len(APIS[api].events)))


def failing_stream(api: str, error: bytes, after: int = 0) -> Action:
    """Return a stream that reports an error after some events."""
    return sse_reply([*blocks(APIS[api], after), error])


@contextmanager
def open_model(gateway: FakeServer, **options: Any) -> Iterator[ChatModel]:
    """Yield a model whose delays are short."""
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)
    model = ChatModel(settings)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    try:
        yield model
    finally:
        model.client.close()


def build_request(api: str, **options: Any) -> ChatRequest:
    """Return a request for an API."""
    return ChatRequest(model="grok-4.7", messages=HELLO, **{"api": api, **options})


def read_sync(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """Return the events of a stream."""
    return list(model.stream(request))


def read_async(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """Return the events of an async stream."""

    async def read() -> list[StreamEvent]:
        return [event async for event in model.astream(request)]

    return asyncio.run(read())


ReadStream = Callable[[ChatModel, ChatRequest], list[StreamEvent]]
sync_and_async = pytest.mark.parametrize("read_stream", [read_sync, read_async])


def get_text(events: Sequence[StreamEvent]) -> str:
    """Return the text of a stream."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def check_complete(events: Sequence[StreamEvent]) -> None:
    """Check that the response is complete and started once."""
    assert get_text(events) == TEXT
    assert sum(isinstance(event, ResponseStarted) for event in events) == 1
    assert isinstance(events[0], ResponseStarted)


API_ERROR_FORMATS = [(api, name) for api in API_NAMES for name in ERROR_FORMATS] + [
    ("responses", "failure")
]


@sync_and_async
@pytest.mark.parametrize(("api", "error_format"), API_ERROR_FORMATS)
def test_an_error_before_content_is_retried(
    gateway: FakeServer, api: str, error_format: str, read_stream: ReadStream
) -> None:
    """An error after any event without content is retried, and the response starts once."""
    error = ERROR_FORMATS.get(error_format, FAILED_EVENT)
    with open_model(gateway, max_retries=1) as model:
        # A JSON response has no events before the error.
        for after in range(1 if error_format == "JSON" else EVENTS_BEFORE_CONTENT[api] + 1):
            gateway.script([failing_stream(api, error, after), complete_stream(api)])
            check_complete(read_stream(model, build_request(api)))
            assert len(gateway.requests) == 2
            assert gateway.requests[0].body == gateway.requests[1].body


@sync_and_async
@pytest.mark.parametrize(("api", "error_format"), API_ERROR_FORMATS)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted(
    gateway: FakeServer, api: str, error_format: str, retries: int, read_stream: ReadStream
) -> None:
    """After ``max_retries`` retries the error is raised."""
    gateway.respond = lambda _request: failing_stream(
        api, ERROR_FORMATS.get(error_format, FAILED_EVENT)
    )
    with (
        open_model(gateway, max_retries=retries) as model,
        pytest.raises(InternalServerError, match="at capacity") as raised,
    ):
        read_stream(model, build_request(api))
    assert len(gateway.requests) == retries + 1
    assert raised.value.is_retryable
    assert raised.value.status_code == 200


OTHER_FAILURES: dict[str, Callable[[str], Action]] = {
    "503": lambda _api: json_reply(refused({"error": "Busy."}), 503),
    "429": lambda _api: json_reply(refused({"error": "Slow down."}), 429),
    "200 with an error": lambda _api: json_reply({"code": "unavailable", "error": OVERLOADED}),
    "the same": lambda api: failing_stream(api, ERROR_FORMATS["event"]),
}


@sync_and_async
@every_api
@pytest.mark.parametrize("other_failure", OTHER_FAILURES)
def test_all_failures_of_a_call_share_the_retries(
    gateway: FakeServer, api: str, other_failure: str, read_stream: ReadStream
) -> None:
    """Error responses and errors in streams share the retries of a call, in any order."""
    stream_reply, other_reply = (
        failing_stream(api, ERROR_FORMATS["event"]),
        OTHER_FAILURES[other_failure](api),
    )
    for actions in ([stream_reply, other_reply], [other_reply, stream_reply]):
        with open_model(gateway, max_retries=2) as model:
            gateway.script([*actions, complete_stream(api)])
            check_complete(read_stream(model, build_request(api)))
            assert len(gateway.requests) == 3
        with open_model(gateway, max_retries=1) as model:
            gateway.script([*actions, complete_stream(api)])
            with pytest.raises(XAILowCodeError):
                read_stream(model, build_request(api))
            assert len(gateway.requests) == 2


@sync_and_async
def test_a_lost_connection_is_an_attempt(gateway: FakeServer, read_stream: ReadStream) -> None:
    """A request without a response on a new connection is an attempt of the same call."""
    actions = [
        Drop(),
        failing_stream("responses", ERROR_FORMATS["event"]),
        complete_stream("responses"),
    ]
    for retries, expected in ((2, 3), (1, 2)):
        gateway.script(actions)
        with open_model(gateway, max_retries=retries) as model:
            if retries == 2:
                check_complete(read_stream(model, build_request("responses")))
            else:
                with pytest.raises(InternalServerError):
                    read_stream(model, build_request("responses"))
        assert len(gateway.requests) == expected


NOT_RETRIED: dict[str, tuple[Callable[[str], Action], type[XAILowCodeError]]] = {
    "bad request": (lambda api: failing_stream(api, sse(INVALID_ARGUMENT)), BadRequestError),
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
        lambda api: failing_stream(api, ERROR_FORMATS["event"], EVENTS_BEFORE_CONTENT[api] + 1),
        InternalServerError,
    ),
    "failure after content": (
        lambda api: failing_stream(api, sse({"error": OVERLOADED}), EVENTS_BEFORE_CONTENT[api] + 2),
        InternalServerError,
    ),
    "cut at once": (lambda _api: sse_reply(b": ping\n\n"), StreamInterruptedError),
    "cut before content": (
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
def test_other_failures_are_not_retried(
    gateway: FakeServer, api: str, name: str, read_stream: ReadStream
) -> None:
    """Invalid requests, errors after content and interrupted streams are not retried."""
    action, kind = NOT_RETRIED[name]
    gateway.script([action(api), complete_stream(api)])
    with open_model(gateway, max_retries=3) as model, pytest.raises(kind):
        read_stream(model, build_request(api))
    assert len(gateway.requests) == 1


@every_api
@pytest.mark.parametrize("stop", ["e a", "zzz"])
def test_stop_sequences_do_not_change_retries(gateway: FakeServer, api: str, stop: str) -> None:
    """Errors before content are retried, and others not, also if text is buffered."""
    with open_model(gateway, max_retries=1) as model:
        for read_stream in (read_sync, read_async):
            gateway.script(
                [
                    failing_stream(api, ERROR_FORMATS["event"], EVENTS_BEFORE_CONTENT[api]),
                    complete_stream(api),
                ]
            )
            expected = "Grüß" if stop == "e a" else TEXT
            assert get_text(read_stream(model, build_request(api, stop=(stop,)))) == expected
            assert len(gateway.requests) == 2
            gateway.script(
                [
                    failing_stream(api, ERROR_FORMATS["event"], EVENTS_BEFORE_CONTENT[api] + 1),
                    complete_stream(api),
                ]
            )
            with pytest.raises(InternalServerError):
                read_stream(model, build_request(api, stop=("Grr",)))
            assert len(gateway.requests) == 1


def record_delays(model: ChatModel, after_each: Callable[[], None] = lambda: None) -> list[float]:
    """Replace the sleep of both clients of a model, and return the list of its delays."""
    delays: list[float] = []

    def execute(flow: Flow[Any]) -> Any:
        while True:
            try:
                step = next(flow)
            except StopIteration as end:
                return end.value
            assert isinstance(step, Sleep)
            delays.append(step.seconds)
            after_each()

    async def aexecute(flow: Flow[Any]) -> Any:
        return execute(flow)

    model.client.execute = execute  # type: ignore[method-assign]
    model.async_client.execute = aexecute  # type: ignore[method-assign]
    return delays


def rate_limited_stream(retry_after_in: str, seconds: float) -> Action:
    """Return a stream that reports a rate limit with ``Retry-After``."""
    error: Any = {"code": "rate_limit_error", "error": "Slow down."}
    headers: tuple[tuple[str, str], ...] = ()
    if retry_after_in == "body":
        error = refused(error, {"Retry-After": f"{seconds:g}"})
    else:
        headers = (("Retry-After", f"{seconds:g}"), ("X-Request-Id", "r7"))
    return sse_reply(sse(error), headers=headers)


@sync_and_async
@pytest.mark.parametrize("retry_after_in", ["body", "header"])
def test_retry_after_is_obeyed(
    gateway: FakeServer, retry_after_in: str, read_stream: ReadStream
) -> None:
    """``Retry-After`` of the event or of the HTTP response is the delay."""
    with open_model(gateway, max_retries=1) as model:
        delays = record_delays(model)
        gateway.script([rate_limited_stream(retry_after_in, 7), complete_stream("responses")])
        check_complete(read_stream(model, build_request("responses")))
        assert delays == [7.0]
        gateway.script(
            [rate_limited_stream(retry_after_in, 7), rate_limited_stream(retry_after_in, 8)]
        )
        with pytest.raises(RateLimitError) as raised:
            read_stream(model, build_request("responses"))
    assert delays == [7.0, 7.0]
    assert raised.value.retry_after == 8.0
    assert raised.value.request_id == ("r7" if retry_after_in == "header" else None)


@sync_and_async
def test_no_delay_exceeds_the_deadline(gateway: FakeServer, read_stream: ReadStream) -> None:
    """A delay that would end after the deadline of the call raises the error."""
    with open_model(gateway, max_retries=5, deadline=6.0) as model:
        delays = record_delays(model)
        gateway.script([rate_limited_stream("header", 7), complete_stream("responses")])
        with pytest.raises(RateLimitError) as raised:
            read_stream(model, build_request("responses"))
    assert "Not retried" in raised.value.__notes__[0]
    assert (delays, len(gateway.requests)) == ([], 1)


@sync_and_async
def test_all_attempts_share_the_deadline(gateway: FakeServer, read_stream: ReadStream) -> None:
    """Delays reduce the remaining time of the next attempts."""
    now = 0.0

    def clock() -> float:
        return now

    def advance() -> None:
        nonlocal now
        now += 4.0

    with open_model(gateway, max_retries=5, deadline=10.0) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), clock=clock))
        record_delays(model, advance)
        gateway.respond = lambda _request: failing_stream("responses", ERROR_FORMATS["event"])
        with pytest.raises(APITimeoutError, match=r"deadline of 10\.0 s"):
            read_stream(model, build_request("responses"))
    assert len(gateway.requests) == 3


@sync_and_async
def test_delays_grow_with_full_jitter(gateway: FakeServer, read_stream: ReadStream) -> None:
    """The longest possible delay doubles with each attempt of a call."""
    with open_model(gateway, max_retries=3) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.5))
        delays = record_delays(model)
        gateway.respond = lambda _request: failing_stream("responses", ERROR_FORMATS["event"])
        with pytest.raises(InternalServerError):
            read_stream(model, build_request("responses"))
    assert delays == [0.25, 0.5, 1.0]


@sync_and_async
@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_a_retry_is_logged_without_the_token(
    gateway: FakeServer, caplog: pytest.LogCaptureFixture, read_stream: ReadStream, token: str
) -> None:
    """Each retry is logged at INFO, and neither log nor error contain the token."""
    failure = {**FAILED_RESPONSE, "error": {"code": "server_error", "message": f"Busy {token}"}}
    error = sse({"type": "response.failed", "response": failure})
    settings = Settings.create(api_token=token, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings)
    record_delays(model)
    gateway.respond = lambda _request: failing_stream("responses", error)
    with caplog.at_level(logging.INFO, "xai_lowcode"), pytest.raises(InternalServerError) as raised:
        read_stream(model, build_request("responses"))
    model.client.close()
    (record,) = [entry for entry in caplog.records if "retrying in" in entry.message]
    assert record.levelno == logging.INFO
    assert record.message.startswith("Create New Response: Busy [redacted]")
    assert token not in caplog.text + str(raised.value) + str(vars(raised.value))


class CountingRateLimiter:
    """A rate limiter that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def acquire(self) -> bool:
        """Permit the request."""
        self.calls += 1
        return True

    async def aacquire(self) -> bool:
        """Permit the async request."""
        return self.acquire()


@sync_and_async
@pytest.mark.parametrize("by_framework", [False, True])
def test_each_attempt_uses_the_rate_limiter(
    gateway: FakeServer, read_stream: ReadStream, *, by_framework: bool
) -> None:
    """Each attempt of a stream uses the rate limiter, except the first if the framework did."""
    counter = CountingRateLimiter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=2)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=by_framework)
    record_delays(model)
    gateway.script(
        [failing_stream("responses", ERROR_FORMATS["event"])] * 2 + [complete_stream("responses")]
    )
    check_complete(read_stream(model, build_request("responses")))
    model.client.close()
    assert counter.calls == 3 - by_framework


@pytest.mark.parametrize("by_framework", [False, True])
def test_each_attempt_without_streaming_uses_the_rate_limiter(
    gateway: FakeServer, *, by_framework: bool
) -> None:
    """Each attempt after a failed response uses the rate limiter too."""
    counter = CountingRateLimiter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=by_framework)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    gateway.script([json_reply(FAILED_RESPONSE), json_reply(COMPLETED)])
    assert model.generate(build_request("responses")).text == TEXT
    model.client.close()
    assert counter.calls == 2 - by_framework


@sync_and_async
def test_a_delay_keeps_no_slot(read_stream: ReadStream) -> None:
    """The concurrency slot of a call is free during a delay and at its end."""
    actions = [failing_stream("responses", ERROR_FORMATS["event"])] * 2 + [
        complete_stream("responses")
    ]
    transport = CountingTransport(0.0, lambda _request: actions.pop(0))  # type: ignore[arg-type,return-value]
    settings = Settings.create(
        api_token=TOKEN, base_url="http://127.0.0.1:1/xai", max_concurrency=1, max_retries=2
    )
    model = ChatModel(
        settings,
        http_client=httpx.Client(transport=transport),
        http_async_client=httpx.AsyncClient(transport=transport),
    )
    limits: Any = model.client.limits
    free_slots: list[int] = []
    delays = record_delays(model, lambda: free_slots.append(count_free_slots(limits)))
    check_complete(read_stream(model, build_request("responses")))
    assert (free_slots, len(delays), transport.requests.total, transport.requests.current) == (
        [1, 1],
        2,
        3,
        0,
    )
    assert count_free_slots(limits) == 1


FAILED_RESPONSES: dict[str, Any] = {
    "failed": FAILED_RESPONSE,
    "failed with output": {**COMPLETED, "status": "failed", "error": FAILED_RESPONSE["error"]},
    "error inside a 200": {"code": "The service is currently unavailable", "error": OVERLOADED},
}


@pytest.mark.parametrize("name", FAILED_RESPONSES)
def test_a_failed_response_is_retried(gateway: FakeServer, name: str) -> None:
    """Without streaming, a transient error in a response with status 200 is retried."""
    failed = json_reply(FAILED_RESPONSES[name])
    with open_model(gateway, max_retries=1) as model:
        gateway.script([failed, json_reply(COMPLETED)] * 2)
        assert [reply.text for reply in sync_async.generate(model, build_request("responses"))] == [
            TEXT
        ] * 2
        assert len(gateway.requests) == 4
        gateway.script([failed] * 4)
        for _ in range(2):
            with pytest.raises(InternalServerError, match="at capacity"):
                model.generate(build_request("responses"))
        assert len(gateway.requests) == 4


@pytest.mark.parametrize("other_failure", [name for name in OTHER_FAILURES if name != "the same"])
def test_failures_without_streaming_share_the_retries(
    gateway: FakeServer, other_failure: str
) -> None:
    """Failed responses and error responses share the retries of a call."""
    other_reply = OTHER_FAILURES[other_failure]("responses")
    for actions in (
        [json_reply(FAILED_RESPONSE), other_reply],
        [other_reply, json_reply(FAILED_RESPONSE)],
    ):
        for retries, expected in ((2, 3), (1, 2)):
            gateway.script([*actions, json_reply(COMPLETED)])
            with open_model(gateway, max_retries=retries) as model:
                if retries == 2:
                    assert model.generate(build_request("responses")).text == TEXT
                else:
                    with pytest.raises(XAILowCodeError):
                        model.generate(build_request("responses"))
            assert len(gateway.requests) == expected


def test_a_response_that_failed_by_the_request_is_not_retried(
    gateway: FakeServer,
) -> None:
    """``status: failed`` with an invalid request raises at once, with the request id."""
    body = {**FAILED_RESPONSE, "error": {"code": "invalid_prompt", "message": "No"}}
    gateway.script([json_reply(body, headers=(("X-Request-Id", "r9"),))])
    with open_model(gateway, max_retries=3) as model, pytest.raises(BadRequestError) as raised:
        model.generate(build_request("responses"))
    assert len(gateway.requests) == 1
    assert raised.value.request_id == "r9"


UNSUPPORTED = {
    "code": "invalid-argument",
    "error": "Argument not supported on this model: topP",
}


@sync_and_async
@pytest.mark.parametrize("after", [0, 3])
def test_a_rejected_option_is_omitted(
    gateway: FakeServer, read_stream: ReadStream, after: int
) -> None:
    """An option that is rejected before content is omitted; this does not count as a retry."""
    with open_model(gateway, max_retries=0) as model:
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), after), complete_stream("responses")]
        )
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            check_complete(read_stream(model, build_request("responses", top_p=0.5)))
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), after), complete_stream("responses")]
        )
        with pytest.raises(BadRequestError):
            read_stream(model, build_request("responses"))
        assert len(gateway.requests) == 1


@sync_and_async
def test_an_option_that_is_rejected_after_content_raises(
    gateway: FakeServer, read_stream: ReadStream
) -> None:
    """A rejection after content raises, since events were returned."""
    with open_model(gateway, max_retries=3) as model:
        gateway.script(
            [failing_stream("responses", sse(UNSUPPORTED), 4), complete_stream("responses")]
        )
        with pytest.raises(BadRequestError):
            read_stream(model, build_request("responses", top_p=0.5))
        assert len(gateway.requests) == 1


def test_a_failed_response_that_rejects_an_option(
    gateway: FakeServer,
) -> None:
    """Without streaming, a failed response that rejects an option is requested without it."""
    error = {"code": "invalid_request_error", "message": UNSUPPORTED["error"]}
    with open_model(gateway, max_retries=0) as model:
        gateway.script([json_reply({**FAILED_RESPONSE, "error": error}), json_reply(COMPLETED)])
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            assert model.generate(build_request("responses", top_p=0.5)).text == TEXT
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]


@contextmanager
def no_delays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the jitter of all models to zero."""
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
def test_both_frameworks_retry_streams(
    gateway: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    api: str,
    read: Callable[[dict[str, Any]], str],
) -> None:
    """Failed streams are retried, up to the maximum number of attempts."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": api}
    failed = failing_stream(api, ERROR_FORMATS["event with an error"], EVENTS_BEFORE_CONTENT[api])
    with no_delays(monkeypatch):
        gateway.script([failed, failed, complete_stream(api)])
        assert read(options) == TEXT
        assert len(gateway.requests) == 3
        gateway.script([failed] * 9)
        with pytest.raises(InternalServerError, match="at capacity"):
            read(options)
        assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    "call",
    [
        lambda options: ChatXAILowCode(**options).invoke("Hi").text,
        lambda options: XAILowCode(**options).chat([ChatMessage("Hi")]).message.content,
    ],
)
def test_both_frameworks_retry_without_streaming(
    gateway: FakeServer, monkeypatch: pytest.MonkeyPatch, call: Callable[[dict[str, Any]], str]
) -> None:
    """Without streaming, failed responses are retried."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": "responses"}
    with no_delays(monkeypatch):
        gateway.script(
            [json_reply(FAILED_RESPONSE), json_reply(FAILED_RESPONSE), json_reply(COMPLETED)]
        )
        assert call(options) == TEXT
        assert len(gateway.requests) == 3
