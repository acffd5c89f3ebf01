"""A timeout of a stream raises `StreamTimeoutError`, which is a timeout and an interruption.

Before the response starts, it raises `APITimeoutError`. The request is not retried.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import ModelTimeoutError
from llama_index.core.llms import ChatMessage

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from tests.core.fake_server import TOKEN, FakeServer, Stall, sse_reply
from tests.core.test_stream_ends import APIS, blocks
from tests.core.test_stream_retries import (
    API_NAMES,
    EVENTS_BEFORE_CONTENT,
    ReadStream,
    build_request,
    every_api,
    open_model,
    sync_and_async,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from xai_lowcode.settings import Settings

# Numbers of events that are sent before the stream stalls.
EVENT_COUNTS: dict[str, Callable[[str], int]] = {
    "nothing": lambda _api: 0,
    "no content": lambda api: EVENTS_BEFORE_CONTENT[api],
    "content": lambda api: EVENTS_BEFORE_CONTENT[api] + 1,
    "all but the end": lambda api: len(APIS[api].events) - 1,
}
LIMITS = ("timeout", "deadline")
HINT = "The received response is incomplete."


def run_with_longer_limits(gateway: FakeServer, attempt: Callable[[float], None]) -> None:
    """Run the test with a short limit, and with longer ones if the machine was too slow."""
    for seconds in (0.1, 1.0):
        gateway.requests.clear()
        with suppress(Exception, pytest.fail.Exception):
            attempt(seconds)
            return
    gateway.requests.clear()
    attempt(10.0)


def check_stalled(error: Any) -> None:
    """Check that the error is a timeout of a stream that was received in part."""
    assert isinstance(error, StreamTimeoutError)
    assert isinstance(error, StreamInterruptedError)
    assert isinstance(error, APITimeoutError)
    assert error.request_sent
    assert error.response_started
    assert error.is_retryable
    assert "timed out" in error.message
    assert HINT in error.hint
    assert "http_client" not in str(error)
    assert error.__cause__ is None
    assert TOKEN not in repr(vars(error))


@sync_and_async
@every_api
@pytest.mark.parametrize("progress", EVENT_COUNTS)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_stalled_stream(
    gateway: FakeServer, api: str, progress: str, limit: str, read_stream: ReadStream
) -> None:
    """A stream that stalls after any event raises `StreamTimeoutError` at either limit."""
    events = blocks(APIS[api], EVENT_COUNTS[progress](api))
    gateway.respond = lambda _request: sse_reply(events, stall=True)

    def attempt(seconds: float) -> None:
        with (
            open_model(gateway, max_retries=3, **{limit: seconds}) as model,
            pytest.raises(StreamInterruptedError) as raised,
        ):
            read_stream(model, build_request(api))
        check_stalled(raised.value)
        assert len(gateway.requests) == 1

    run_with_longer_limits(gateway, attempt)


@sync_and_async
@pytest.mark.parametrize("limit", LIMITS)
def test_a_slow_stream_ends_with_the_deadline(
    gateway: FakeServer, limit: str, read_stream: ReadStream
) -> None:
    """Chunks do not extend the deadline; the timeout applies to each chunk."""
    events = blocks(APIS["responses"], len(APIS["responses"].events))
    gateway.respond = lambda _request: sse_reply(events, pause=0.05)
    options = {"timeout": {"timeout": 30}, "deadline": {"deadline": 0.25}}[limit]
    with open_model(gateway, max_retries=3, **options) as model:
        if limit == "timeout":
            assert read_stream(model, build_request("responses"))
            return
        with pytest.raises(StreamTimeoutError) as raised:
            read_stream(model, build_request("responses"))
    check_stalled(raised.value)
    assert len(gateway.requests) == 1


@sync_and_async
@pytest.mark.parametrize("limit", LIMITS)
def test_a_response_that_does_not_start(
    gateway: FakeServer, limit: str, read_stream: ReadStream
) -> None:
    """A response that does not start raises `APITimeoutError` only."""
    gateway.respond = lambda _request: Stall()

    def attempt(seconds: float) -> None:
        with (
            open_model(gateway, max_retries=3, **{limit: seconds}) as model,
            pytest.raises(APITimeoutError) as raised,
        ):
            read_stream(model, build_request("responses"))
        assert type(raised.value) is APITimeoutError
        assert not raised.value.response_started
        assert len(gateway.requests) == 1

    run_with_longer_limits(gateway, attempt)


@every_api
def test_a_custom_client(gateway: FakeServer, api: str) -> None:
    """A stream of a custom client raises the same error."""
    events = blocks(APIS[api], EVENTS_BEFORE_CONTENT[api] + 1)
    gateway.respond = lambda _request: sse_reply(events, stall=True)

    def attempt(seconds: float) -> None:
        settings = create_settings(seconds)
        with httpx.Client() as client, pytest.raises(StreamTimeoutError) as raised:
            list(ChatModel(settings, http_client=client).stream(build_request(api)))
        check_stalled(raised.value)

    async def read_async(seconds: float) -> None:
        async with httpx.AsyncClient() as async_client:
            model = ChatModel(create_settings(seconds), http_async_client=async_client)
            with pytest.raises(StreamTimeoutError) as raised:
                _ = [event async for event in model.astream(build_request(api))]
            check_stalled(raised.value)

    def create_settings(seconds: float) -> Settings:
        return Settings.create(api_token=TOKEN, base_url=gateway.base_url, timeout=seconds)

    run_with_longer_limits(gateway, attempt)
    run_with_longer_limits(gateway, lambda seconds: asyncio.run(read_async(seconds)))


def _langchain(**options: Any) -> Iterator[str]:
    for chunk in ChatXAILowCode(**options).stream("Hello"):
        yield chunk.text


async def _alangchain(**options: Any) -> AsyncIterator[str]:
    async for chunk in ChatXAILowCode(**options).astream("Hello"):
        yield chunk.text


def _llama_index(**options: Any) -> Iterator[str]:
    for chunk in XAILowCode(**options).stream_chat([ChatMessage("Hello")]):
        yield chunk.delta or ""


async def _allama_index(**options: Any) -> AsyncIterator[str]:
    async for chunk in await XAILowCode(**options).astream_chat([ChatMessage("Hello")]):
        yield chunk.delta or ""


@every_api
@pytest.mark.parametrize("stream", [_langchain, _alangchain, _llama_index, _allama_index])
def test_both_frameworks_return_chunks_and_raise(
    gateway: FakeServer, api: str, stream: Any
) -> None:
    """Chunks before the timeout are returned; LangChain's error class catches the error too."""
    events = blocks(APIS[api], EVENTS_BEFORE_CONTENT[api] + 1)
    gateway.respond = lambda _request: sse_reply(events, stall=True)
    received: list[str] = []

    async def aread(**options: Any) -> None:
        async for text in stream(**options):
            received.append(text)  # noqa: PERF401 - the chunks before the error are needed

    def read(**options: Any) -> None:
        if stream in {_alangchain, _allama_index}:
            asyncio.run(aread(**options))
        else:
            received.extend(stream(**options))

    def attempt(seconds: float) -> None:
        received.clear()
        options = {"api_token": TOKEN, "base_url": gateway.base_url, "api": api}
        with pytest.raises(StreamTimeoutError) as raised:
            read(timeout=seconds, **options)
        check_stalled(raised.value)
        assert isinstance(raised.value, ModelTimeoutError) == ("langchain" in stream.__name__)
        assert "".join(received)

    run_with_longer_limits(gateway, attempt)


def test_a_stream_timeout_is_a_connection_error() -> None:
    """Handlers of `APIConnectionError` also catch `StreamTimeoutError`."""
    assert issubclass(StreamTimeoutError, APIConnectionError)
    assert set(API_NAMES) == set(EVENTS_BEFORE_CONTENT)
