"""Laws of counting a conversation: few requests, and the same counts as text by text."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.clients import emulator_settings, server_settings
from tests.core.fake_server import Action, FakeServer, Reply, Request, json_reply
from xai_lowcode.api.client import AsyncGateway, Gateway
from xai_lowcode.api.tokens import (
    TOKENS_BEFORE_RESPONSE,
    TOKENS_PER_MESSAGE,
    TokenCount,
    TokenCounter,
    estimate_tokens,
)
from xai_lowcode.emulator import Drop, Emulator, Refuse, running
from xai_lowcode.emulator import tokenizer as emulators
from xai_lowcode.errors import AuthenticationError, RateLimitError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import Message, TextPart

MODEL = "grok-4.7"
# The pattern by which the tokenizers that xAI published split a text.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
Tokens = list[tuple[int, bytes]]
SYNC_AND_ASYNC = pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of the test's own: a cancelled request may reach it after the test."""
    with running() as own:
        yield own


def split_like_the_emulator(text: str) -> Tokens:
    """Tokens of the emulator's tokenizer."""
    return [(token.id, bytes(token.bytes)) for token in emulators.tokenize(text)]


def byte_pair_tokenizer() -> Callable[[str], Tokens]:
    """A tokenizer of the kind of xAI's: its pattern, and the merges that LlamaIndex ships."""
    tiktoken = pytest.importorskip("tiktoken")
    utils = pytest.importorskip("llama_index.core.utils")
    merges = utils.get_tokenizer().func.__self__._mergeable_ranks
    encoding = tiktoken.Encoding(
        "like-grok", pat_str=PATTERN, mergeable_ranks=merges, special_tokens={}
    )

    def tokenize(text: str) -> Tokens:
        ids = encoding.encode_ordinary(text)
        return list(zip(ids, encoding.decode_tokens_bytes(ids), strict=True))

    return tokenize


def answer(tokens: Tokens) -> Reply:
    """The response of the tokenizer endpoint."""
    return json_reply(
        {
            "token_ids": [
                {"token_id": token, "string_token": "", "token_bytes": list(content)}
                for token, content in tokens
            ]
        }
    )


def counter_of(options: Settings) -> TokenCounter:
    """A counter without anything in its cache."""
    return TokenCounter(Gateway(options), AsyncGateway(options))


def count(counter: TokenCounter, texts: list[str], *, use_async: bool, **options: Any) -> int:
    """Count a conversation, without its overhead."""
    messages = [Message("user", (TextPart(text),)) for text in texts]
    if use_async:
        counted = asyncio.run(counter.acount_messages(messages, model=MODEL, **options))
    else:
        counted = counter.count_messages(messages, model=MODEL, **options)
    assert counted.exact is False
    return counted.tokens - TOKENS_BEFORE_RESPONSE - TOKENS_PER_MESSAGE * len(texts)


def asked(gateway: FakeServer) -> list[str]:
    """The texts of the requests."""
    return [request.json["text"] for request in gateway.requests]


@pytest.fixture(scope="module", params=["emulator", "byte pairs"])
def tokenize(request: pytest.FixtureRequest) -> Callable[[str], Tokens]:
    """Tokenizers of different kinds."""
    return split_like_the_emulator if request.param == "emulator" else byte_pair_tokenizer()


@pytest.fixture(scope="module")
def server(tokenize: Callable[[str], Tokens]) -> Iterator[FakeServer]:
    """A server with a tokenizer."""
    with FakeServer(respond=lambda request: answer(tokenize(request.json["text"]))) as running:
        yield running


WORDS = ["a", "Hello", " world", "'s", "'", "?!", "...", "{}", "/", "X", "1", "12"]
SPACES = ["\n", "\r\n", "\n\n", " ", "  ", "\t", "\u00a0", ". ", "```\n"]
OTHERS = ["é", "你好", "\U0001f600", "\u0301"]
PIECES = st.sampled_from([*WORDS, *SPACES, *OTHERS])
TEXTS = st.lists(st.lists(PIECES, max_size=6).map("".join) | st.text(max_size=8), max_size=8)


@settings(deadline=None, max_examples=150)
@given(texts=TEXTS)
def test_joined_texts_count_as_alone(
    server: FakeServer, tokenize: Callable[[str], Tokens], texts: list[str]
) -> None:
    """Whatever the texts begin and end with, their tokens are those of each text alone."""
    counter = counter_of(server_settings(server))
    assert count(counter, texts, use_async=False) == sum(len(tokenize(text)) for text in texts)
    server.requests.clear()
    for text in texts:
        assert counter.ids(text, model=MODEL) == [token for token, _ in tokenize(text)]
    assert server.requests == []


@SYNC_AND_ASYNC
def test_few_requests_count_a_conversation(emulator: Emulator, *, use_async: bool) -> None:
    """New texts are counted by one request, those that are known by none."""
    counter = counter_of(emulator_settings(emulator))
    texts = [f"Turn number {n}, with {'many ' * (n % 9)}words." for n in range(180)]
    expected = [emulators.count_tokens(text) for text in texts]
    assert count(counter, texts, use_async=use_async) == sum(expected)
    assert len(emulator.requests) == 1
    assert count(counter, texts[:7], use_async=use_async) == sum(expected[:7])
    assert counter.count(texts[0], model=MODEL) == TokenCount(expected[0], exact=True)
    assert len(emulator.requests) == 1
    assert count(counter, [*texts, "One more."], use_async=use_async) == sum(expected) + 3
    assert [request.body["text"] for request in emulator.requests[1:]] == ["One more."]


@SYNC_AND_ASYNC
def test_requests_have_a_limit(emulator: Emulator, *, use_async: bool) -> None:
    """Long conversations are counted by several requests, and a long text alone."""
    texts = ["word " * 1000 + f"{n}." for n in range(20)] + ["long " * 20_000 + "end."]
    counter = counter_of(emulator_settings(emulator))
    assert count(counter, texts, use_async=use_async) == sum(map(emulators.count_tokens, texts))
    sizes = sorted(len(request.body["text"]) for request in emulator.requests)
    assert sizes[-1] == len(texts[-1])
    assert sizes[-2] <= 32_768
    assert len(sizes) <= 6


def without_bytes(text: str) -> Reply:
    """A response in which tokens cannot be found again, sent in two pieces."""
    tokens = [(n, b"?") for n in range(len(text) // 4 + 1)]
    content = answer(tokens).content
    assert isinstance(content, bytes)
    return Reply([content[:9], content[9:]], pause=0.01)


@SYNC_AND_ASYNC
def test_tokens_without_bytes(gateway: FakeServer, *, use_async: bool) -> None:
    """If tokens cannot be assigned to texts, each is counted alone, several at once."""
    gateway.respond = lambda request: without_bytes(request.json["text"])
    texts = [f"number {n}" * (n % 5 + 1) for n in range(30)]
    counter = counter_of(server_settings(gateway))
    assert count(counter, texts, use_async=use_async) == sum(len(t) // 4 + 1 for t in texts)
    assert sorted(asked(gateway)[1:]) == sorted(texts)
    assert 1 < gateway.connections_made <= 8
    more = ["another one", "and one more"]
    count(counter, more, use_async=use_async)
    assert sorted(asked(gateway)[31:]) == sorted(more)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("position", [0, 1])
def test_failures_are_errors(emulator: Emulator, *, use_async: bool, position: int) -> None:
    """Without leave to estimate, a failure of any request is raised."""
    texts = ["one text", "another text", "  ", " begins with white space", " and so does this"]
    counter = counter_of(emulator_settings(emulator, max_retries=0))
    if position:
        count(counter, texts[:2], use_async=use_async)
    emulator.inject(*[Refuse(429)] * 8)
    with pytest.raises(RateLimitError):
        count(counter, texts, use_async=use_async)


@SYNC_AND_ASYNC
def test_estimates_of_a_conversation(emulator: Emulator, *, use_async: bool) -> None:
    """One failed request, one warning: the conversation is estimated, unless it would not help."""
    texts = [f"{n} texts" for n in range(9)]
    counter = counter_of(emulator_settings(emulator, max_retries=3))
    emulator.inject(Drop())
    with pytest.warns(UserWarning, match="Tokens are estimated") as warned:
        counted = count(counter, texts, use_async=use_async, estimate=True)
    assert (len(warned), len(emulator.requests)) == (1, 1)
    assert counted == sum(estimate_tokens(text).tokens for text in texts)
    emulator.inject(Refuse(401))
    with pytest.raises(AuthenticationError):
        count(counter_of(emulator_settings(emulator)), texts, use_async=use_async, estimate=True)


@SYNC_AND_ASYNC
def test_a_failure_begins_no_further_request(gateway: FakeServer, *, use_async: bool) -> None:
    """After the first error, requests that have not begun are not sent."""

    def refuse(request: Request) -> Action:
        text = request.json["text"]
        if text.startswith(" "):
            return json_reply({"code": "x", "error": "No."}, 403)
        return without_bytes(text)

    gateway.respond = refuse
    counter = counter_of(server_settings(gateway, max_retries=0))
    with pytest.raises(Exception, match="No"):
        count(counter, [" first", *(f"text {n}" for n in range(200))], use_async=use_async)
    assert len(gateway.requests) < 60
