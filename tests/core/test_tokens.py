"""Token counts: counts of the endpoint are exact and cached, and estimates are marked as such."""

import copy
import math
import pickle
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.clients import emulator_settings, server_settings
from tests.core.fake_server import FakeServer, json_reply
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.tokens import (
    TOKENS_BEFORE_RESPONSE,
    TOKENS_PER_IMAGE,
    TOKENS_PER_MESSAGE,
    TokenCount,
    TokenCounter,
    estimate_tokens,
)
from xai_lowcode.emulator import Drop, Emulator, Garbage, Refuse
from xai_lowcode.emulator import tokenizer as emulator_tokenizer
from xai_lowcode.errors import (
    APIConnectionError,
    AuthenticationError,
    InvalidResponseError,
    RateLimitError,
    RouteNotFoundError,
    XAILowCodeError,
)
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ToolSpec

MODEL = "grok-4.7"


class CounterUnderTest:
    """Calls the sync or the async methods of a token counter."""

    def __init__(self, settings: Settings, *, is_async: bool = False, **options: Any) -> None:
        self.is_async = is_async
        self.gateway, self.async_gateway = Gateway(settings), AsyncGateway(settings)
        self.token_counter = TokenCounter(self.gateway, self.async_gateway, **options)

    async def call(self, method: str, *args: Any, **options: Any) -> Any:
        """Return the result of a method."""
        options = {"model": MODEL, **options}
        if self.is_async:
            return await getattr(self.token_counter, f"a{method}")(*args, **options)
        return getattr(self.token_counter, method)(*args, **options)

    async def close(self) -> None:
        self.gateway.close()
        await self.async_gateway.aclose()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
async def counter(request: pytest.FixtureRequest, emulator: Emulator) -> Any:
    """A sync and an async counter with an empty cache."""
    counter = CounterUnderTest(emulator_settings(emulator, max_retries=0), is_async=request.param)
    yield counter
    await counter.close()


@contextmanager
def expect_estimate_warning() -> Iterator[None]:
    """Expect one warning that tokens are estimated."""
    with pytest.warns(UserWarning, match="Tokens are estimated") as warned:
        yield
    assert len(warned) == 1


@pytest.mark.parametrize("text", ["Hello world!", "", " ", "Grüße 你好", "a" * 5000, "\U0001f600"])
async def test_exact_counts(counter: CounterUnderTest, text: str) -> None:
    """Count and token ids are those of the tokenizer, and the count is exact."""
    expected = [token.id for token in emulator_tokenizer.tokenize(text)]
    assert await counter.call("ids", text) == expected
    assert await counter.call("count", text) == TokenCount(len(expected), exact=True)


async def test_counts_are_cached(counter: CounterUnderTest, emulator: Emulator) -> None:
    """A text is requested once for each model, and the result is the caller's own."""
    for _ in range(2):
        (await counter.call("ids", "Hello there")).clear()
        await counter.call("count", "Hello there")
    assert len(await counter.call("ids", "Hello there")) == 2
    assert len(emulator.requests) == 1
    await counter.call("ids", "Hello there", model="grok-4.3")
    assert [request.body["model"] for request in emulator.requests] == [MODEL, "grok-4.3"]
    await counter.call("count", "")
    assert len(emulator.requests) == 2


async def test_the_cache_is_bounded(emulator: Emulator) -> None:
    """The least recently used entry is removed; a text that exceeds the size is not cached."""
    counter = CounterUnderTest(emulator_settings(emulator), cache_size=60)
    for text in ("a", "b", "c", "a", "d", "a", "b"):
        await counter.call("count", text)
    assert [request.body["text"] for request in emulator.requests] == list("abcdb")
    for text in ("many words of text " * 20, "b", "many words of text " * 20):
        await counter.call("count", text)
    assert len(emulator.requests) == 7
    await counter.close()


async def test_the_cache_contains_no_text(counter: CounterUnderTest) -> None:
    """The cache contains digests instead of texts."""
    await counter.call("count", "a secret text")
    assert "secret" not in repr(vars(counter.token_counter._cache))


@pytest.mark.parametrize("fault", [Drop(), Refuse(429), Refuse(503)])
async def test_estimates_warn_once(
    counter: CounterUnderTest, emulator: Emulator, fault: Any
) -> None:
    """With ``estimate=True`` a transient failure causes estimates, with one warning for all."""
    emulator.inject(fault)
    with expect_estimate_warning():
        counts = [
            await counter.call("count", text, estimate=True) for text in ("Hello world!", "é")
        ]
    assert counts == [TokenCount(3, exact=False), TokenCount(1, exact=False)]
    assert len(emulator.requests) == 1


async def test_the_endpoint_is_used_again_later(
    counter: CounterUnderTest, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Estimates use the endpoint again after 30 seconds, exact counts at once."""
    emulator.inject(Drop())
    with expect_estimate_warning():
        await counter.call("count", "Hello", estimate=True)
    assert (await counter.call("count", "Hi", estimate=True)).exact is False
    assert (await counter.call("count", "Hi there")).exact is True
    monkeypatch.setattr(
        counter.token_counter, "_estimate_until", counter.gateway.context.clock() - 1
    )
    assert (await counter.call("count", "Hello", estimate=True)).exact is True
    emulator.inject(Refuse(503))  # no second warning
    assert (await counter.call("count", "Goodbye", estimate=True)).exact is False
    assert counter.token_counter._estimate_until > counter.gateway.context.clock() + 20


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_estimate_does_not_wait_for_retries(emulator: Emulator, is_async: bool) -> None:
    """With ``estimate=True`` a failed request is not retried."""
    counter = CounterUnderTest(emulator_settings(emulator, max_retries=5), is_async=is_async)
    emulator.inject(Refuse(503))
    with expect_estimate_warning():
        assert (await counter.call("count", "Hello", estimate=True)).exact is False
    assert len(emulator.requests) == 1
    await counter.close()


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_gateway_without_a_tokenizer(gateway: FakeServer, is_async: bool) -> None:
    """A gateway without the endpoint causes estimates too."""
    gateway.respond = lambda _request: json_reply({"message": "Not Found"}, 404)
    counter = CounterUnderTest(server_settings(gateway), is_async=is_async)
    with pytest.raises(RouteNotFoundError):
        await counter.call("count", "Hello")
    with expect_estimate_warning():
        assert await counter.call("count", "Hello", estimate=True) == estimate_tokens("Hello")
    await counter.close()


FAILURES: list[tuple[Any, type[XAILowCodeError]]] = [
    (Drop(), APIConnectionError),
    (Refuse(429), RateLimitError),
    (Refuse(401), AuthenticationError),
    (Garbage(b"{}", "application/json"), InvalidResponseError),
]


@pytest.mark.parametrize(("fault", "error"), FAILURES)
async def test_failures_raise(
    counter: CounterUnderTest, emulator: Emulator, fault: Any, error: type[XAILowCodeError]
) -> None:
    """Without ``estimate=True`` every failure raises; token ids are never estimated."""
    for method in ("ids", "count"):
        emulator.inject(fault)
        with pytest.raises(error):
            await counter.call(method, "Hello")


@pytest.mark.parametrize(("fault", "error"), FAILURES[2:])
async def test_permanent_failures_raise(
    counter: CounterUnderTest, emulator: Emulator, fault: Any, error: type[XAILowCodeError]
) -> None:
    """An authentication error or invalid response raises also with ``estimate=True``."""
    emulator.inject(fault)
    with pytest.raises(error):
        await counter.call("count", "Hello", estimate=True)


async def test_lone_surrogates_are_counted(counter: CounterUnderTest) -> None:
    """A lone surrogate is sent and counted as U+FFFD."""
    surrogate = await counter.call("count", "\ud83d")
    assert surrogate == await counter.call("count", "\ufffd")


@given(st.text())
def test_estimates(text: str) -> None:
    """An estimate is a quarter of the bytes, rounded up, and is not exact."""
    assert estimate_tokens(text) == TokenCount(math.ceil(len(text.encode()) / 4), exact=False)


PARTS: list[tuple[Any, str, int]] = [
    (TextPart("Hello there"), "Hello there", 0),
    (ReasoningPart("Hm, so"), "Hm, so", 0),
    (ToolCallPart("id", "look", '{"a": 1}'), 'look {"a": 1}', 0),
    (ToolResultPart("id", (TextPart("Found."), ImagePart("https://x/a"))), "Found.", 1),
    (ImagePart("https://x/a.png"), "", 1),
    (FilePart(file_id="f"), "", 0),
    (ServerToolPart("web_search_call"), "", 0),
]


@pytest.mark.parametrize(("part", "text", "images"), PARTS)
async def test_parts_of_messages(
    counter: CounterUnderTest, part: Any, text: str, images: int
) -> None:
    """Parts count by their text, images by a constant; ids and documents do not count."""
    counted = await counter.call("count_messages", (Message("user", (part,)),))
    overhead = TOKENS_BEFORE_RESPONSE + TOKENS_PER_MESSAGE + images * TOKENS_PER_IMAGE
    assert counted == TokenCount(overhead + emulator_tokenizer.count_tokens(text), exact=False)


@pytest.mark.parametrize(
    ("texts", "billed"),
    [
        (("Hello world!",), 9),
        (("Hi there!",), 9),
        (
            (
                "You are a helpful assistant that can answer questions and help with tasks.",
                "What is 101*3?",
            ),
            32,
        ),
    ],
)
async def test_counts_are_close_to_recorded_usage(
    counter: CounterUnderTest, texts: tuple[str, ...], billed: int
) -> None:
    """The count of a short prompt differs from the recorded usage by at most one token."""
    messages = [Message("user", (TextPart(text),)) for text in texts]
    counted = await counter.call("count_messages", messages)
    assert abs(counted.tokens - billed) <= 1


async def test_counts_of_a_growing_conversation(
    counter: CounterUnderTest, emulator: Emulator
) -> None:
    """The count is the sum of the messages, and only new messages are requested."""
    messages = [Message("user", (TextPart(f"turn number {number}"),)) for number in range(4)]
    totals = [
        (await counter.call("count_messages", messages[:number])).tokens for number in range(5)
    ]
    assert len(emulator.requests) == 4
    single_counts = [
        (await counter.call("count", f"turn number {number}")).tokens for number in range(4)
    ]
    for number, total in enumerate(totals):
        assert total == TOKENS_BEFORE_RESPONSE + number * TOKENS_PER_MESSAGE + sum(
            single_counts[:number]
        )
    tool = ToolSpec("add", "Adds two numbers.")
    with_tool = await counter.call("count_messages", messages, tools=[tool])
    assert with_tool.tokens > totals[-1] + 10
    assert "Adds two numbers." in emulator.requests[-1].body["text"]


async def test_a_conversation_is_estimated_offline(
    counter: CounterUnderTest, emulator: Emulator
) -> None:
    """After one failed request the whole conversation is estimated, with one warning."""
    messages = [Message("user", (TextPart("12345678"),))] * 5
    emulator.inject(Drop())
    with expect_estimate_warning():
        counted = await counter.call("count_messages", messages, estimate=True)
    expected = TOKENS_BEFORE_RESPONSE + 5 * (TOKENS_PER_MESSAGE + 2)
    assert counted == TokenCount(expected, exact=False)
    assert len(emulator.requests) == 1


def test_copies_and_pickles(emulator: Emulator) -> None:
    """Copied and unpickled counters use the same gateway and have their own cache."""
    counter = CounterUnderTest(emulator_settings(emulator))
    counter.token_counter.count("Hello", model=MODEL)
    for copied in (
        copy.deepcopy(counter.token_counter),
        pickle.loads(pickle.dumps(counter.token_counter)),  # noqa: S301 - just written
    ):
        assert copied.count("Hello", model=MODEL).exact
    assert len(emulator.requests) == 3


def test_threads_share_a_counter(emulator: Emulator) -> None:
    """Concurrent threads get correct counts, and the cache does not exceed its size."""
    counter = CounterUnderTest(emulator_settings(emulator), cache_size=80)
    texts = [f"word {number % 7}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        counts = list(
            pool.map(lambda text: counter.token_counter.count(text, model=MODEL).tokens, texts)
        )
    assert counts == [emulator_tokenizer.count_tokens(text) for text in texts]
    cache = counter.token_counter._cache
    assert cache._used == sum(len(ids) + 16 for ids in cache._entries.values()) <= 80
    counter.gateway.close()
