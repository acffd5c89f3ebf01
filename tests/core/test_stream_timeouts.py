"""Law: a timeout after a stream has started is an interrupted stream and a timeout in one error.

Before the response starts, it is a timeout only. A request is never sent twice for either.
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
from tests.core.test_stream_retries import EMPTY, FORMS, Way, ask, both_ways, every_form, model_of
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from xai_lowcode.settings import Settings

# Numbers of events that are sent before the stream stalls.
PLACES: dict[str, Callable[[str], int]] = {
    "nothing": lambda _form: 0,
    "no content": lambda form: EMPTY[form],
    "content": lambda form: EMPTY[form] + 1,
    "all but the end": lambda form: len(APIS[form].events) - 1,
}
LIMITS = ("timeout", "deadline")
HINT = "The received response is incomplete."


def patiently(gateway: FakeServer, attempt: Callable[[float], None]) -> None:
    """Attempt it with a short limit; with a longer one if a loaded machine was too slow for it."""
    for seconds in (0.1, 1.0):
        gateway.requests.clear()
        with suppress(Exception, pytest.fail.Exception):
            attempt(seconds)
            return
    gateway.requests.clear()
    attempt(10.0)


def check_stalled(error: Any) -> None:
    """The error says that a stream timed out, of which a part was received."""
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


@both_ways
@every_form
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("limit", LIMITS)
def test_a_stalled_stream(gateway: FakeServer, form: str, place: str, limit: str, way: Way) -> None:
    """Wherever it stalls, and whichever limit ends it."""
    sent = blocks(APIS[form], PLACES[place](form))
    gateway.respond = lambda _request: sse_reply(sent, stall=True)

    def attempt(seconds: float) -> None:
        with (
            model_of(gateway, max_retries=3, **{limit: seconds}) as model,
            pytest.raises(StreamInterruptedError) as raised,
        ):
            way(model, ask(form))
        check_stalled(raised.value)
        assert len(gateway.requests) == 1

    patiently(gateway, attempt)


@both_ways
@pytest.mark.parametrize("limit", LIMITS)
def test_a_slow_stream_ends_with_the_deadline(gateway: FakeServer, limit: str, way: Way) -> None:
    """Chunks that come in time do not extend the deadline; the timeout is for each of them."""
    sent = blocks(APIS["responses"], len(APIS["responses"].events))
    gateway.respond = lambda _request: sse_reply(sent, pause=0.05)
    options = {"timeout": {"timeout": 30}, "deadline": {"deadline": 0.25}}[limit]
    with model_of(gateway, max_retries=3, **options) as model:
        if limit == "timeout":
            assert way(model, ask("responses"))
            return
        with pytest.raises(StreamTimeoutError) as raised:
            way(model, ask("responses"))
    check_stalled(raised.value)
    assert len(gateway.requests) == 1


@both_ways
@pytest.mark.parametrize("limit", LIMITS)
def test_a_response_that_does_not_start(gateway: FakeServer, limit: str, way: Way) -> None:
    """Nothing was received, so no stream was interrupted."""
    gateway.respond = lambda _request: Stall()

    def attempt(seconds: float) -> None:
        with (
            model_of(gateway, max_retries=3, **{limit: seconds}) as model,
            pytest.raises(APITimeoutError) as raised,
        ):
            way(model, ask("responses"))
        assert type(raised.value) is APITimeoutError
        assert not raised.value.response_started
        assert len(gateway.requests) == 1

    patiently(gateway, attempt)


@every_form
def test_a_custom_client(gateway: FakeServer, form: str) -> None:
    """The error of an ``http_client`` of the caller is the same."""
    sent = blocks(APIS[form], EMPTY[form] + 1)
    gateway.respond = lambda _request: sse_reply(sent, stall=True)

    def attempt(seconds: float) -> None:
        settings = settings_of(seconds)
        with httpx.Client() as client, pytest.raises(StreamTimeoutError) as raised:
            list(ChatModel(settings, http_client=client).stream(ask(form)))
        check_stalled(raised.value)

    async def read(seconds: float) -> None:
        async with httpx.AsyncClient() as async_client:
            model = ChatModel(settings_of(seconds), http_async_client=async_client)
            with pytest.raises(StreamTimeoutError) as raised:
                _ = [event async for event in model.astream(ask(form))]
            check_stalled(raised.value)

    def settings_of(seconds: float) -> Settings:
        return Settings.create(api_token=TOKEN, base_url=gateway.base_url, timeout=seconds)

    patiently(gateway, attempt)
    patiently(gateway, lambda seconds: asyncio.run(read(seconds)))


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


@every_form
@pytest.mark.parametrize("stream", [_langchain, _alangchain, _llama_index, _allama_index])
def test_the_frameworks_return_what_came_and_raise_the_same_error(
    gateway: FakeServer, form: str, stream: Any
) -> None:
    """The chunks before the timeout are returned; LangChain's own class catches the error too."""
    sent = blocks(APIS[form], EMPTY[form] + 1)
    gateway.respond = lambda _request: sse_reply(sent, stall=True)
    received: list[str] = []

    async def aread(**options: Any) -> None:
        async for text in stream(**options):
            received.append(text)  # noqa: PERF401 - what came before the error is kept

    def read(**options: Any) -> None:
        if stream in {_alangchain, _allama_index}:
            asyncio.run(aread(**options))
        else:
            received.extend(stream(**options))

    def attempt(seconds: float) -> None:
        received.clear()
        options = {"api_token": TOKEN, "base_url": gateway.base_url, "api": form}
        with pytest.raises(StreamTimeoutError) as raised:
            read(timeout=seconds, **options)
        check_stalled(raised.value)
        assert isinstance(raised.value, ModelTimeoutError) == ("langchain" in stream.__name__)
        assert "".join(received)

    patiently(gateway, attempt)


def test_a_handler_of_lost_connections_catches_it() -> None:
    """Both bases keep their meaning: the error is also one of a connection."""
    assert issubclass(StreamTimeoutError, APIConnectionError)
    assert set(FORMS) == set(EMPTY)
