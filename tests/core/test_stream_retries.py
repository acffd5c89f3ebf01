"""Law: an error that a stream reports before any content is a failed attempt, like a 5xx.

Everything here goes over the wire, to a scripted server that counts the requests. Where delays are
looked at they are recorded, not waited for.
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

BUSY = "The model is currently at capacity due to high demand. Please try again in a few minutes."
FORMS = ("chat_completions", "messages", "responses")
every_form = pytest.mark.parametrize("form", FORMS)
# The shapes in which xAI reports it, as documented, recorded, or seen by others.
FIRST: dict[str, bytes] = {
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
FAILURE = sse({"type": "response.failed", "response": FAILED}, "response.failed")
REFUSED = {"code": "invalid-argument", "error": "Invalid arguments."}
HELLO = (Message("user", (TextPart("Hello"),)),)
# How many events of a stream have no content.
EMPTY = {"chat_completions": 1, "messages": 3, "responses": 3}


def whole(form: str) -> Action:
    """A whole stream."""
    return sse_reply(blocks(APIS[form], len(APIS[form].events)))


def broken(form: str, error: bytes, after: int = 0) -> Action:
    """A stream that reports an error after some events."""
    return sse_reply([*blocks(APIS[form], after), error])


@contextmanager
def model_of(gateway: FakeServer, **options: Any) -> Iterator[ChatModel]:
    """A model whose delays are short."""
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, **options)
    model = ChatModel(settings)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    try:
        yield model
    finally:
        model.client.close()


def ask(form: str, **options: Any) -> ChatRequest:
    """A request over one API."""
    return ChatRequest(model="grok-4.7", messages=HELLO, **{"api": form, **options})


def sync_events(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """All events of a stream."""
    return list(model.stream(request))


def async_events(model: ChatModel, request: ChatRequest) -> list[StreamEvent]:
    """The same from a coroutine."""

    async def read() -> list[StreamEvent]:
        return [event async for event in model.astream(request)]

    return asyncio.run(read())


Way = Callable[[ChatModel, ChatRequest], list[StreamEvent]]
both_ways = pytest.mark.parametrize("way", [sync_events, async_events])


def text_in(events: Sequence[StreamEvent]) -> str:
    """The text of a stream."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def check_whole(events: Sequence[StreamEvent]) -> None:
    """The response is whole, and began once."""
    assert text_in(events) == TEXT
    assert sum(isinstance(event, ResponseStarted) for event in events) == 1
    assert isinstance(events[0], ResponseStarted)


SHAPES = [(form, name) for form in FORMS for name in FIRST] + [("responses", "failure")]


@both_ways
@pytest.mark.parametrize(("form", "shape"), SHAPES)
def test_an_error_before_content_is_retried(
    gateway: FakeServer, form: str, shape: str, way: Way
) -> None:
    """After every event without content: the second attempt is the response, which begins once."""
    error = FIRST.get(shape, FAILURE)
    with model_of(gateway, max_retries=1) as model:
        # A JSON response has nothing before it.
        for after in range(1 if shape == "JSON" else EMPTY[form] + 1):
            gateway.script([broken(form, error, after), whole(form)])
            check_whole(way(model, ask(form)))
            assert len(gateway.requests) == 2
            assert gateway.requests[0].body == gateway.requests[1].body


@both_ways
@pytest.mark.parametrize(("form", "shape"), SHAPES)
@pytest.mark.parametrize("retries", [0, 1, 3])
def test_retries_are_counted(
    gateway: FakeServer, form: str, shape: str, retries: int, way: Way
) -> None:
    """With so many retries there is one request more, then the error itself is raised."""
    gateway.respond = lambda _request: broken(form, FIRST.get(shape, FAILURE))
    with (
        model_of(gateway, max_retries=retries) as model,
        pytest.raises(InternalServerError, match="at capacity") as raised,
    ):
        way(model, ask(form))
    assert len(gateway.requests) == retries + 1
    assert raised.value.is_retryable
    assert raised.value.status_code == 200


OTHERS: dict[str, Callable[[str], Action]] = {
    "503": lambda _form: json_reply(refused({"error": "Busy."}), 503),
    "429": lambda _form: json_reply(refused({"error": "Slow down."}), 429),
    "200 with an error": lambda _form: json_reply({"code": "unavailable", "error": BUSY}),
    "the same": lambda form: broken(form, FIRST["event"]),
}


@both_ways
@every_form
@pytest.mark.parametrize("other", OTHERS)
def test_all_attempts_of_a_call_are_counted_together(
    gateway: FakeServer, form: str, other: str, way: Way
) -> None:
    """Refused requests and errors in streams share the retries, in any order."""
    in_stream, elsewhere = broken(form, FIRST["event"]), OTHERS[other](form)
    for moves in ([in_stream, elsewhere], [elsewhere, in_stream]):
        with model_of(gateway, max_retries=2) as model:
            gateway.script([*moves, whole(form)])
            check_whole(way(model, ask(form)))
            assert len(gateway.requests) == 3
        with model_of(gateway, max_retries=1) as model:
            gateway.script([*moves, whole(form)])
            with pytest.raises(XAILowCodeError):
                way(model, ask(form))
            assert len(gateway.requests) == 2


@both_ways
def test_a_lost_connection_counts_too(gateway: FakeServer, way: Way) -> None:
    """A request without a response on a new connection is an attempt of the same call."""
    moves = [Drop(), broken("responses", FIRST["event"]), whole("responses")]
    for retries, expected in ((2, 3), (1, 2)):
        gateway.script(moves)
        with model_of(gateway, max_retries=retries) as model:
            if retries == 2:
                check_whole(way(model, ask("responses")))
            else:
                with pytest.raises(InternalServerError):
                    way(model, ask("responses"))
        assert len(gateway.requests) == expected


NOT_RETRIED: dict[str, tuple[Callable[[str], Action], type[XAILowCodeError]]] = {
    "bad request": (lambda form: broken(form, sse(REFUSED)), BadRequestError),
    "bad request as an event": (
        lambda form: broken(
            form, sse({"type": "error", "code": "invalid_prompt", "message": "No"})
        ),
        BadRequestError,
    ),
    "bad request by its number": (
        lambda form: broken(form, sse({"statusCode": 400, "message": "No"})),
        BadRequestError,
    ),
    "after content": (
        lambda form: broken(form, FIRST["event"], EMPTY[form] + 1),
        InternalServerError,
    ),
    "failure after content": (
        lambda form: broken(form, sse({"error": BUSY}), EMPTY[form] + 2),
        InternalServerError,
    ),
    "cut at once": (lambda _form: sse_reply(b": ping\n\n"), StreamInterruptedError),
    "cut before content": (
        lambda form: sse_reply(blocks(APIS[form], EMPTY[form])),
        StreamInterruptedError,
    ),
    "connection lost": (
        lambda form: sse_reply(blocks(APIS[form], EMPTY[form]), cut=True),
        StreamInterruptedError,
    ),
    "[DONE] without a finish": (
        lambda form: sse_reply([*blocks(APIS[form], EMPTY[form] + 1), b"data: [DONE]\n\n"]),
        StreamInterruptedError,
    ),
}


@both_ways
@every_form
@pytest.mark.parametrize("name", NOT_RETRIED)
def test_nothing_else_is_retried(gateway: FakeServer, form: str, name: str, way: Way) -> None:
    """What the request is to blame for, what came after content, and what was cut: one request."""
    move, kind = NOT_RETRIED[name]
    gateway.script([move(form), whole(form)])
    with model_of(gateway, max_retries=3) as model, pytest.raises(kind):
        way(model, ask(form))
    assert len(gateway.requests) == 1


@every_form
@pytest.mark.parametrize("stop", ["e a", "zzz"])
def test_stop_strings_change_nothing(gateway: FakeServer, form: str, stop: str) -> None:
    """Also where text is held back that may become a stop string."""
    with model_of(gateway, max_retries=1) as model:
        for way in (sync_events, async_events):
            gateway.script([broken(form, FIRST["event"], EMPTY[form]), whole(form)])
            expected = "Grüß" if stop == "e a" else TEXT
            assert text_in(way(model, ask(form, stop=(stop,)))) == expected
            assert len(gateway.requests) == 2
            gateway.script([broken(form, FIRST["event"], EMPTY[form] + 1), whole(form)])
            with pytest.raises(InternalServerError):
                way(model, ask(form, stop=("Grr",)))
            assert len(gateway.requests) == 1


def recorded(model: ChatModel, during: Callable[[], None] = lambda: None) -> list[float]:
    """The delays that both clients of a model are asked for, which are not waited for."""
    delays: list[float] = []

    def take(flow: Flow[Any]) -> Any:
        while True:
            try:
                step = next(flow)
            except StopIteration as end:
                return end.value
            assert isinstance(step, Sleep)
            delays.append(step.seconds)
            during()

    async def atake(flow: Flow[Any]) -> Any:
        return take(flow)

    model.client.execute = take  # type: ignore[method-assign]
    model.async_client.execute = atake  # type: ignore[method-assign]
    return delays


def limited(how: str, seconds: float) -> Action:
    """A stream that reports a rate limit, and when to retry."""
    error: Any = {"code": "rate_limit_error", "error": "Slow down."}
    headers: tuple[tuple[str, str], ...] = ()
    if how == "body":
        error = refused(error, {"Retry-After": f"{seconds:g}"})
    else:
        headers = (("Retry-After", f"{seconds:g}"), ("X-Request-Id", "r7"))
    return sse_reply(sse(error), headers=headers)


@both_ways
@pytest.mark.parametrize("how", ["body", "header"])
def test_retry_after_is_obeyed(gateway: FakeServer, how: str, way: Way) -> None:
    """Whether the event has it or the HTTP response around it."""
    with model_of(gateway, max_retries=1) as model:
        delays = recorded(model)
        gateway.script([limited(how, 7), whole("responses")])
        check_whole(way(model, ask("responses")))
        assert delays == [7.0]
        gateway.script([limited(how, 7), limited(how, 8)])
        with pytest.raises(RateLimitError) as raised:
            way(model, ask("responses"))
    assert delays == [7.0, 7.0]
    assert raised.value.retry_after == 8.0
    assert raised.value.request_id == ("r7" if how == "header" else None)


@both_ways
def test_no_pause_passes_the_deadline(gateway: FakeServer, way: Way) -> None:
    """A pause that would end after the deadline of the call is not begun."""
    with model_of(gateway, max_retries=5, deadline=6.0) as model:
        delays = recorded(model)
        gateway.script([limited("header", 7), whole("responses")])
        with pytest.raises(RateLimitError) as raised:
            way(model, ask("responses"))
    assert "Not retried" in raised.value.__notes__[0]
    assert (delays, len(gateway.requests)) == ([], 1)


@both_ways
def test_the_deadline_is_one_for_all_attempts(gateway: FakeServer, way: Way) -> None:
    """Time that passes in a pause is missing for the next attempt."""
    now = 0.0

    def clock() -> float:
        return now

    def pass_by() -> None:
        nonlocal now
        now += 4.0

    with model_of(gateway, max_retries=5, deadline=10.0) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), clock=clock))
        recorded(model, pass_by)
        gateway.respond = lambda _request: broken("responses", FIRST["event"])
        with pytest.raises(APITimeoutError, match=r"deadline of 10\.0 s"):
            way(model, ask("responses"))
    assert len(gateway.requests) == 3


@both_ways
def test_pauses_grow_with_full_jitter(gateway: FakeServer, way: Way) -> None:
    """The span of the pause doubles with each attempt of the call, whatever failed it."""
    with model_of(gateway, max_retries=3) as model:
        for name in ("_context", "context"):
            setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.5))
        delays = recorded(model)
        gateway.respond = lambda _request: broken("responses", FIRST["event"])
        with pytest.raises(InternalServerError):
            way(model, ask("responses"))
    assert delays == [0.25, 0.5, 1.0]


@both_ways
@pytest.mark.parametrize("token", [TOKEN, "canary-without-the-usual-form"])
def test_a_retry_is_logged_without_the_token(
    gateway: FakeServer, caplog: pytest.LogCaptureFixture, way: Way, token: str
) -> None:
    """One line at INFO for each, as for any failed attempt."""
    failure = {**FAILED, "error": {"code": "server_error", "message": f"Busy {token}"}}
    error = sse({"type": "response.failed", "response": failure})
    settings = Settings.create(api_token=token, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings)
    recorded(model)
    gateway.respond = lambda _request: broken("responses", error)
    with caplog.at_level(logging.INFO, "xai_lowcode"), pytest.raises(InternalServerError) as raised:
        way(model, ask("responses"))
    model.client.close()
    (line,) = [record for record in caplog.records if "retrying in" in record.message]
    assert line.levelno == logging.INFO
    assert line.message.startswith("Create New Response: Busy [redacted]")
    assert token not in caplog.text + str(raised.value) + str(vars(raised.value))


class Counter:
    """A rate limiter that counts."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self) -> bool:
        """Gives leave."""
        self.asked += 1
        return True

    async def aacquire(self) -> bool:
        """Gives leave to a coroutine."""
        return self.acquire()


@both_ways
@pytest.mark.parametrize("paid", [False, True])
def test_the_rate_limiter_is_asked_for_each_attempt(
    gateway: FakeServer, way: Way, *, paid: bool
) -> None:
    """For the first one by the framework, where it does so."""
    counter = Counter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=2)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=paid)
    recorded(model)
    gateway.script([broken("responses", FIRST["event"])] * 2 + [whole("responses")])
    check_whole(way(model, ask("responses")))
    model.client.close()
    assert counter.asked == 3 - paid


@pytest.mark.parametrize("paid", [False, True])
def test_the_rate_limiter_is_asked_for_plain_attempts_too(
    gateway: FakeServer, *, paid: bool
) -> None:
    """Also for those that follow a response that failed."""
    counter = Counter()
    settings = Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=1)
    model = ChatModel(settings, rate_limiter=counter, rate_limited_by_framework=paid)
    for name in ("_context", "context"):
        setattr(model, name, replace(getattr(model, name), jitter=lambda: 0.0))
    gateway.script([json_reply(FAILED), json_reply(COMPLETED)])
    assert model.generate(ask("responses")).text == TEXT
    model.client.close()
    assert counter.asked == 2 - paid


@both_ways
def test_a_pause_holds_no_slot(way: Way) -> None:
    """While a call waits to be retried, its concurrency slot is free, and afterwards too."""
    moves = [broken("responses", FIRST["event"])] * 2 + [whole("responses")]
    held = CountingTransport(0.0, lambda _request: moves.pop(0))  # type: ignore[arg-type,return-value]
    settings = Settings.create(
        api_token=TOKEN, base_url="http://127.0.0.1:1/xai", max_concurrency=1, max_retries=2
    )
    model = ChatModel(
        settings,
        http_client=httpx.Client(transport=held),
        http_async_client=httpx.AsyncClient(transport=held),
    )
    limits: Any = model.client.limits
    seen: list[int] = []
    delays = recorded(model, lambda: seen.append(count_free_slots(limits)))
    check_whole(way(model, ask("responses")))
    assert (seen, len(delays), held.requests.total, held.requests.current) == ([1, 1], 2, 3, 0)
    assert count_free_slots(limits) == 1


PLAIN_FAILURES: dict[str, Any] = {
    "failed": FAILED,
    "failed with output": {**COMPLETED, "status": "failed", "error": FAILED["error"]},
    "error inside a 200": {"code": "The service is currently unavailable", "error": BUSY},
}


@pytest.mark.parametrize("name", PLAIN_FAILURES)
def test_a_plain_response_that_failed_is_retried(gateway: FakeServer, name: str) -> None:
    """Without streaming too: ``status: failed`` with a transient error is a failed attempt."""
    failed = json_reply(PLAIN_FAILURES[name])
    with model_of(gateway, max_retries=1) as model:
        gateway.script([failed, json_reply(COMPLETED)] * 2)
        assert [reply.text for reply in sync_async.generate(model, ask("responses"))] == [TEXT] * 2
        assert len(gateway.requests) == 4
        gateway.script([failed] * 4)
        for _ in range(2):
            with pytest.raises(InternalServerError, match="at capacity"):
                model.generate(ask("responses"))
        assert len(gateway.requests) == 4


@pytest.mark.parametrize("other", [name for name in OTHERS if name != "the same"])
def test_plain_attempts_are_counted_together(gateway: FakeServer, other: str) -> None:
    """Failed responses share the retries with refused requests."""
    elsewhere = OTHERS[other]("responses")
    for moves in ([json_reply(FAILED), elsewhere], [elsewhere, json_reply(FAILED)]):
        for retries, expected in ((2, 3), (1, 2)):
            gateway.script([*moves, json_reply(COMPLETED)])
            with model_of(gateway, max_retries=retries) as model:
                if retries == 2:
                    assert model.generate(ask("responses")).text == TEXT
                else:
                    with pytest.raises(XAILowCodeError):
                        model.generate(ask("responses"))
            assert len(gateway.requests) == expected


def test_a_plain_response_that_the_request_is_to_blame_for_is_not_retried(
    gateway: FakeServer,
) -> None:
    """``status: failed`` with a bad request is raised at once, with what the headers say."""
    body = {**FAILED, "error": {"code": "invalid_prompt", "message": "No"}}
    gateway.script([json_reply(body, headers=(("X-Request-Id", "r9"),))])
    with model_of(gateway, max_retries=3) as model, pytest.raises(BadRequestError) as raised:
        model.generate(ask("responses"))
    assert len(gateway.requests) == 1
    assert raised.value.request_id == "r9"


UNSUPPORTED = {
    "code": "invalid-argument",
    "error": "Argument not supported on this model: topP",
}


@both_ways
@pytest.mark.parametrize("after", [0, 3])
def test_a_refused_option_is_left_out_once(gateway: FakeServer, way: Way, after: int) -> None:
    """An option that the first events refuse is not sent again; that is no retry."""
    with model_of(gateway, max_retries=0) as model:
        gateway.script([broken("responses", sse(UNSUPPORTED), after), whole("responses")])
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            check_whole(way(model, ask("responses", top_p=0.5)))
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]
        gateway.script([broken("responses", sse(UNSUPPORTED), after), whole("responses")])
        with pytest.raises(BadRequestError):
            way(model, ask("responses"))
        assert len(gateway.requests) == 1


@both_ways
def test_an_option_that_is_refused_after_content_is_an_error(gateway: FakeServer, way: Way) -> None:
    """What has been delivered cannot be taken back."""
    with model_of(gateway, max_retries=3) as model:
        gateway.script([broken("responses", sse(UNSUPPORTED), 4), whole("responses")])
        with pytest.raises(BadRequestError):
            way(model, ask("responses", top_p=0.5))
        assert len(gateway.requests) == 1


def test_a_failed_response_that_refuses_an_option_is_asked_for_without_it(
    gateway: FakeServer,
) -> None:
    """Plain responses that failed teach the same."""
    error = {"code": "invalid_request_error", "message": UNSUPPORTED["error"]}
    with model_of(gateway, max_retries=0) as model:
        gateway.script([json_reply({**FAILED, "error": error}), json_reply(COMPLETED)])
        with pytest.warns(UserWarning, match="top_p: not supported by"):
            assert model.generate(ask("responses", top_p=0.5)).text == TEXT
        assert ["top_p" in request.json for request in gateway.requests] == [True, False]


@contextmanager
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Delays of no length, for models that make their own."""
    with monkeypatch.context() as patch:
        patch.setattr("random.random", lambda: 0.0)
        yield


def langchain_stream(options: dict[str, Any]) -> str:
    """LangChain's sync stream."""
    return "".join(chunk.text for chunk in ChatXAILowCode(**options).stream("Hi"))


def langchain_astream(options: dict[str, Any]) -> str:
    """LangChain's async stream."""

    async def read() -> str:
        model = ChatXAILowCode(**options)
        try:
            return "".join([chunk.text async for chunk in model.astream("Hi")])
        finally:
            await model.aclose()

    return asyncio.run(read())


def llama_index_stream(options: dict[str, Any]) -> str:
    """LlamaIndex's sync stream."""
    chunks = XAILowCode(**options).stream_chat([ChatMessage("Hi")])
    return "".join(chunk.delta or "" for chunk in chunks)


def llama_index_astream(options: dict[str, Any]) -> str:
    """LlamaIndex's async stream."""

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
@every_form
def test_both_frameworks_retry(
    gateway: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
    form: str,
    read: Callable[[dict[str, Any]], str],
) -> None:
    """Two failed attempts and a response, and no more attempts than allowed."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": form}
    failed = broken(form, FIRST["event with an error"], EMPTY[form])
    with quick(monkeypatch):
        gateway.script([failed, failed, whole(form)])
        assert read(options) == TEXT
        assert len(gateway.requests) == 3
        gateway.script([failed] * 9)
        with pytest.raises(InternalServerError, match="at capacity"):
            read(options)
        assert len(gateway.requests) == 3


@pytest.mark.parametrize(
    "ask_whole",
    [
        lambda options: ChatXAILowCode(**options).invoke("Hi").text,
        lambda options: XAILowCode(**options).chat([ChatMessage("Hi")]).message.content,
    ],
)
def test_both_frameworks_retry_plain_responses(
    gateway: FakeServer, monkeypatch: pytest.MonkeyPatch, ask_whole: Callable[[dict[str, Any]], str]
) -> None:
    """Without streaming a failed response is asked for again."""
    options = {"base_url": gateway.base_url, "api_token": TOKEN, "api": "responses"}
    with quick(monkeypatch):
        gateway.script([json_reply(FAILED), json_reply(FAILED), json_reply(COMPLETED)])
        assert ask_whole(options) == TEXT
        assert len(gateway.requests) == 3
