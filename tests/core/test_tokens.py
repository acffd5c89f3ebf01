"""Laws of counting: what the service counts is exact and asked once; an estimate says it is one."""

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
from xai_lowcode.emulator import tokenizer as theirs
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


class Twin:
    """The counter's sync or async methods, called alike."""

    def __init__(self, settings: Settings, *, twin: bool = False, **options: Any) -> None:
        self.twin = twin
        self.gateway, self.async_gateway = Gateway(settings), AsyncGateway(settings)
        self.counter = TokenCounter(self.gateway, self.async_gateway, **options)

    async def ask(self, method: str, *args: Any, **options: Any) -> Any:
        """What a method returns."""
        options = {"model": MODEL, **options}
        if self.twin:
            return await getattr(self.counter, f"a{method}")(*args, **options)
        return getattr(self.counter, method)(*args, **options)

    async def close(self) -> None:
        self.gateway.close()
        await self.async_gateway.aclose()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
async def twin(request: pytest.FixtureRequest, emulator: Emulator) -> Any:
    """A fresh counter, sync and async."""
    made = Twin(emulator_settings(emulator, max_retries=0), twin=request.param)
    yield made
    await made.close()


@contextmanager
def estimating() -> Iterator[None]:
    """Wants the one warning that tokens are estimated."""
    with pytest.warns(UserWarning, match="Tokens are estimated") as told:
        yield
    assert len(told) == 1


@pytest.mark.parametrize("text", ["Hello world!", "", " ", "Grüße 你好", "a" * 5000, "\U0001f600"])
async def test_counts_are_the_services(twin: Twin, text: str) -> None:
    """The number and the numbers are those of the tokenizer behind the endpoint, and exact."""
    expected = [token.id for token in theirs.tokenize(text)]
    assert await twin.ask("ids", text) == expected
    assert await twin.ask("count", text) == TokenCount(len(expected), exact=True)


async def test_a_text_is_asked_once(twin: Twin, emulator: Emulator) -> None:
    """A text is asked once for each model, and what a caller does to the answer is its own."""
    for _ in range(2):
        (await twin.ask("ids", "Hello there")).clear()
        await twin.ask("count", "Hello there")
    assert len(await twin.ask("ids", "Hello there")) == 2
    assert len(emulator.requests) == 1
    await twin.ask("ids", "Hello there", model="grok-4.3")
    assert [request.body["model"] for request in emulator.requests] == [MODEL, "grok-4.3"]
    await twin.ask("count", "")
    assert len(emulator.requests) == 2


async def test_memory_is_bounded(emulator: Emulator) -> None:
    """What was used least recently is forgotten; a text longer than the room is never kept."""
    twin = Twin(emulator_settings(emulator), cache_size=60)
    for text in ("a", "b", "c", "a", "d", "a", "b"):
        await twin.ask("count", text)
    assert [request.body["text"] for request in emulator.requests] == list("abcdb")
    for text in ("many words of text " * 20, "b", "many words of text " * 20):
        await twin.ask("count", text)
    assert len(emulator.requests) == 7
    await twin.close()


async def test_no_text_is_kept(twin: Twin) -> None:
    """The memory holds digests, and neither text nor token."""
    await twin.ask("count", "a secret text")
    assert "secret" not in repr(vars(twin.counter._cache))


@pytest.mark.parametrize("fault", [Drop(), Refuse(429), Refuse(503)])
async def test_estimates_are_told(twin: Twin, emulator: Emulator, fault: Any) -> None:
    """Where estimates are allowed a passing failure gives one, with one warning for all."""
    emulator.inject(fault)
    with estimating():
        counts = [await twin.ask("count", text, estimate=True) for text in ("Hello world!", "é")]
    assert counts == [TokenCount(3, exact=False), TokenCount(1, exact=False)]
    assert len(emulator.requests) == 1


async def test_the_service_is_asked_again_later(
    twin: Twin, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is left alone for half a minute, then asked again; exact counts are asked for at once."""
    emulator.inject(Drop())
    with estimating():
        await twin.ask("count", "Hello", estimate=True)
    assert (await twin.ask("count", "Hi", estimate=True)).exact is False
    assert (await twin.ask("count", "Hi there")).exact is True
    monkeypatch.setattr(twin.counter, "_estimate_until", twin.gateway.context.clock() - 1)
    assert (await twin.ask("count", "Hello", estimate=True)).exact is True
    emulator.inject(Refuse(503))  # told already: no second warning
    assert (await twin.ask("count", "Goodbye", estimate=True)).exact is False
    assert twin.counter._estimate_until > twin.gateway.context.clock() + 20


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_estimate_does_not_wait_for_retries(emulator: Emulator, is_async: bool) -> None:
    """Where an estimate will do, one request is made, however often others would be."""
    twin = Twin(emulator_settings(emulator, max_retries=5), twin=is_async)
    emulator.inject(Refuse(503))
    with estimating():
        assert (await twin.ask("count", "Hello", estimate=True)).exact is False
    assert len(emulator.requests) == 1
    await twin.close()


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_gateway_without_a_tokenizer(gateway: FakeServer, is_async: bool) -> None:
    """A gateway that lacks the endpoint gives estimates too."""
    gateway.respond = lambda _request: json_reply({"message": "Not Found"}, 404)
    twin = Twin(server_settings(gateway), twin=is_async)
    with pytest.raises(RouteNotFoundError):
        await twin.ask("count", "Hello")
    with estimating():
        assert await twin.ask("count", "Hello", estimate=True) == estimate_tokens("Hello")
    await twin.close()


FAILURES: list[tuple[Any, type[XAILowCodeError]]] = [
    (Drop(), APIConnectionError),
    (Refuse(429), RateLimitError),
    (Refuse(401), AuthenticationError),
    (Garbage(b"{}", "application/json"), InvalidResponseError),
]


@pytest.mark.parametrize(("fault", "error"), FAILURES)
async def test_failures_are_errors(
    twin: Twin, emulator: Emulator, fault: Any, error: type[XAILowCodeError]
) -> None:
    """Without leave to estimate every failure is raised; numbers of tokens are never estimated."""
    for method in ("ids", "count"):
        emulator.inject(fault)
        with pytest.raises(error):
            await twin.ask(method, "Hello")


@pytest.mark.parametrize(("fault", "error"), FAILURES[2:])
async def test_what_will_not_pass_is_an_error(
    twin: Twin, emulator: Emulator, fault: Any, error: type[XAILowCodeError]
) -> None:
    """A wrong token, or an answer that is none, is raised even where estimates are allowed."""
    emulator.inject(fault)
    with pytest.raises(error):
        await twin.ask("count", "Hello", estimate=True)


async def test_half_a_character_is_counted(twin: Twin) -> None:
    """A lone surrogate is sent, and counted, as U+FFFD."""
    half = await twin.ask("count", "\ud83d")
    assert half == await twin.ask("count", "\ufffd")


@given(st.text())
def test_the_rule(text: str) -> None:
    """Four bytes are a token, the last ones rounded up; and it is never called exact."""
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
async def test_parts_of_messages(twin: Twin, part: Any, text: str, images: int) -> None:
    """Each part counts by its text, images by their figure; ids and documents do not count."""
    counted = await twin.ask("count_messages", (Message("user", (part,)),))
    around = TOKENS_BEFORE_RESPONSE + TOKENS_PER_MESSAGE + images * TOKENS_PER_IMAGE
    assert counted == TokenCount(around + theirs.count_tokens(text), exact=False)


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
async def test_the_figures_fit_recorded_bills(
    twin: Twin, texts: tuple[str, ...], billed: int
) -> None:
    """For short English prompts the sum is what xAI was recorded to bill, give or take a token."""
    messages = [Message("user", (TextPart(text),)) for text in texts]
    counted = await twin.ask("count_messages", messages)
    assert abs(counted.tokens - billed) <= 1


async def test_a_conversation_grows(twin: Twin, emulator: Emulator) -> None:
    """The sum is that of its messages; only the new message is asked when it grows."""
    messages = [Message("user", (TextPart(f"turn number {n}"),)) for n in range(4)]
    sums = [(await twin.ask("count_messages", messages[:n])).tokens for n in range(5)]
    assert len(emulator.requests) == 4
    alone = [(await twin.ask("count", f"turn number {n}")).tokens for n in range(4)]
    for n, total in enumerate(sums):
        assert total == TOKENS_BEFORE_RESPONSE + n * TOKENS_PER_MESSAGE + sum(alone[:n])
    tool = ToolSpec("add", "Adds two numbers.")
    with_tool = await twin.ask("count_messages", messages, tools=[tool])
    assert with_tool.tokens > sums[-1] + 10
    assert "Adds two numbers." in emulator.requests[-1].body["text"]


async def test_a_conversation_is_estimated_offline(twin: Twin, emulator: Emulator) -> None:
    """One failure, one warning, one request: the rest of the conversation goes by the rule."""
    messages = [Message("user", (TextPart("12345678"),))] * 5
    emulator.inject(Drop())
    with estimating():
        counted = await twin.ask("count_messages", messages, estimate=True)
    expected = TOKENS_BEFORE_RESPONSE + 5 * (TOKENS_PER_MESSAGE + 2)
    assert counted == TokenCount(expected, exact=False)
    assert len(emulator.requests) == 1


def test_a_counter_travels(emulator: Emulator) -> None:
    """Copies and pickles count on their own, and are counters of the same gateway."""
    twin = Twin(emulator_settings(emulator))
    twin.counter.count("Hello", model=MODEL)
    for travelled in (copy.deepcopy(twin.counter), pickle.loads(pickle.dumps(twin.counter))):  # noqa: S301 - our own bytes
        assert travelled.count("Hello", model=MODEL).exact
    assert len(emulator.requests) == 3


def test_threads_share_a_counter(emulator: Emulator) -> None:
    """Many threads at once get the same counts, and the room is not overdrawn."""
    twin = Twin(emulator_settings(emulator), cache_size=80)
    texts = [f"word {n % 7}" for n in range(60)]
    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        counts = list(pool.map(lambda text: twin.counter.count(text, model=MODEL).tokens, texts))
    assert counts == [theirs.count_tokens(text) for text in texts]
    known = twin.counter._cache
    assert known._used == sum(len(ids) + 16 for ids in known._entries.values()) <= 80
    twin.gateway.close()
