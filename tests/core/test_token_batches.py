"""Token counts of conversations: few requests, and the same counts as for single texts."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import example, given, settings
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
from xai_lowcode.emulator import tokenizer as emulator_tokenizer
from xai_lowcode.errors import AuthenticationError, RateLimitError
from xai_lowcode.protocol.steps import HTTPResponse, SendRequest
from xai_lowcode.settings import Settings
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.messages import Message, TextPart

MODEL = "grok-4.7"
# The pattern with which the published tokenizers of xAI split a text.
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
Tokens = list[tuple[int, bytes]]
SYNC_AND_ASYNC = pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator for one test, since a cancelled request may be received after the test."""
    with running() as emulator_of_test:
        yield emulator_of_test


def split_like_the_emulator(text: str) -> Tokens:
    """Return the tokens of the emulator's tokenizer."""
    return [(token.id, bytes(token.bytes)) for token in emulator_tokenizer.tokenize(text)]


def byte_pair_tokenizer() -> Callable[[str], Tokens]:
    """Return a tokenizer like xAI's: its pattern, and the merges that LlamaIndex contains."""
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


def create_response(tokens: Tokens) -> Reply:
    """Return a response of the tokenizer endpoint."""
    return json_reply(
        {
            "token_ids": [
                {"token_id": token, "string_token": "", "token_bytes": list(content)}
                for token, content in tokens
            ]
        }
    )


def create_counter(settings_of_client: Settings) -> TokenCounter:
    """Return a counter with an empty cache."""
    return TokenCounter(Gateway(settings_of_client), AsyncGateway(settings_of_client))


def count(counter: TokenCounter, texts: list[str], *, use_async: bool, **options: Any) -> int:
    """Return the count of a conversation without its overhead."""
    messages = [Message("user", (TextPart(text),)) for text in texts]
    if use_async:
        result = asyncio.run(counter.acount_messages(messages, model=MODEL, **options))
    else:
        result = counter.count_messages(messages, model=MODEL, **options)
    assert result.exact is False
    return result.tokens - TOKENS_BEFORE_RESPONSE - TOKENS_PER_MESSAGE * len(texts)


def get_texts(gateway: FakeServer) -> list[str]:
    """Return the texts of the requests."""
    return [request.json["text"] for request in gateway.requests]


@pytest.fixture(scope="module", params=["emulator", "byte pairs"])
def tokenize(request: pytest.FixtureRequest) -> Callable[[str], Tokens]:
    """Tokenizers of different kinds."""
    return split_like_the_emulator if request.param == "emulator" else byte_pair_tokenizer()


WORDS = ["a", "Hello", " world", "'s", "'", "?!", "...", "{}", "/", "X", "1", "12"]
SPACES = ["\n", "\r\n", "\n\n", " ", "  ", "\t", "\u00a0", ". ", "```\n"]
OTHER_CHARACTERS = ["é", "你好", "\U0001f600", "\u0301"]
TEXT_PARTS = st.sampled_from([*WORDS, *SPACES, *OTHER_CHARACTERS])
TEXTS = st.lists(st.lists(TEXT_PARTS, max_size=6).map("".join) | st.text(max_size=8), max_size=8)


@contextmanager
def sans_io(tokenize: Callable[[str], Tokens]) -> Iterator[list[str]]:
    """Yield the texts that are sent to a tokenizer, which responds without a connection."""
    texts: list[str] = []

    def send(_client: SyncAPIClient, step: SendRequest) -> tuple[HTTPResponse, None]:
        texts.append(json.loads(step.call.body or b"")["text"])
        return HTTPResponse(200, {}, create_response(tokenize(texts[-1])).content), None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyncAPIClient, "_send", send)
        yield texts


@settings(deadline=None, max_examples=150)
@given(texts=TEXTS)
@example(texts=["", " \u00a0"])
def test_joined_texts_have_the_same_counts(
    tokenize: Callable[[str], Tokens], texts: list[str]
) -> None:
    """The tokens of texts that are counted together are those of each text alone."""
    counter = create_counter(Settings.create(api_token="at_r" + "0" * 32))
    with sans_io(tokenize) as sent:
        assert count(counter, texts, use_async=False) == sum(len(tokenize(text)) for text in texts)
        sent.clear()
        for text in texts:
            assert counter.ids(text, model=MODEL) == [token for token, _ in tokenize(text)]
        assert sent == []


@SYNC_AND_ASYNC
def test_a_conversation_needs_one_request(emulator: Emulator, *, use_async: bool) -> None:
    """New texts need one request, cached texts none."""
    counter = create_counter(emulator_settings(emulator))
    texts = [f"Turn number {n}, with {'many ' * (n % 9)}words." for n in range(180)]
    expected = [emulator_tokenizer.count_tokens(text) for text in texts]
    assert count(counter, texts, use_async=use_async) == sum(expected)
    assert len(emulator.requests) == 1
    assert count(counter, texts[:7], use_async=use_async) == sum(expected[:7])
    assert counter.count(texts[0], model=MODEL) == TokenCount(expected[0], exact=True)
    assert len(emulator.requests) == 1
    assert count(counter, [*texts, "One more."], use_async=use_async) == sum(expected) + 3
    assert [request.body["text"] for request in emulator.requests[1:]] == ["One more."]


@SYNC_AND_ASYNC
def test_requests_have_a_maximum_length(emulator: Emulator, *, use_async: bool) -> None:
    """Long conversations need several requests, and a long text has its own."""
    texts = ["word " * 1000 + f"{n}." for n in range(20)] + ["long " * 20_000 + "end."]
    counter = create_counter(emulator_settings(emulator))
    assert count(counter, texts, use_async=use_async) == sum(
        map(emulator_tokenizer.count_tokens, texts)
    )
    sizes = sorted(len(request.body["text"]) for request in emulator.requests)
    assert sizes[-1] == len(texts[-1])
    assert sizes[-2] <= 32_768
    assert len(sizes) <= 6


def create_response_without_bytes(text: str) -> Reply:
    """Return a response whose tokens have other bytes than the text, in two chunks."""
    tokens = [(n, b"?") for n in range(len(text) // 4 + 1)]
    content = create_response(tokens).content
    assert isinstance(content, bytes)
    return Reply([content[:9], content[9:]], pause=0.01)


@SYNC_AND_ASYNC
def test_tokens_without_bytes(gateway: FakeServer, *, use_async: bool) -> None:
    """If tokens cannot be assigned to texts, the texts are counted alone and concurrently."""
    gateway.respond = lambda request: create_response_without_bytes(request.json["text"])
    texts = [f"number {n}" * (n % 5 + 1) for n in range(30)]
    counter = create_counter(server_settings(gateway))
    assert count(counter, texts, use_async=use_async) == sum(len(t) // 4 + 1 for t in texts)
    assert sorted(get_texts(gateway)[1:]) == sorted(texts)
    assert 1 < gateway.connections_made <= 8
    new_texts = ["another one", "and one more"]
    count(counter, new_texts, use_async=use_async)
    assert sorted(get_texts(gateway)[31:]) == sorted(new_texts)


@SYNC_AND_ASYNC
@pytest.mark.parametrize("position", [0, 1])
def test_failures_raise(emulator: Emulator, *, use_async: bool, position: int) -> None:
    """Without ``estimate=True`` a failure of any request raises."""
    texts = ["one text", "another text", "  ", " begins with white space", " and so does this"]
    counter = create_counter(emulator_settings(emulator, max_retries=0))
    if position:
        count(counter, texts[:2], use_async=use_async)
    emulator.inject(*[Refuse(429)] * 8)
    with pytest.raises(RateLimitError):
        count(counter, texts, use_async=use_async)


@SYNC_AND_ASYNC
def test_estimates_of_a_conversation(emulator: Emulator, *, use_async: bool) -> None:
    """One failed request causes an estimate with one warning; an authentication error raises."""
    texts = [f"{n} texts" for n in range(9)]
    counter = create_counter(emulator_settings(emulator, max_retries=3))
    emulator.inject(Drop())
    with pytest.warns(UserWarning, match="Tokens are estimated") as warned:
        result = count(counter, texts, use_async=use_async, estimate=True)
    assert (len(warned), len(emulator.requests)) == (1, 1)
    assert result == sum(estimate_tokens(text).tokens for text in texts)
    emulator.inject(Refuse(401))
    with pytest.raises(AuthenticationError):
        count(
            create_counter(emulator_settings(emulator)), texts, use_async=use_async, estimate=True
        )


@SYNC_AND_ASYNC
def test_no_requests_after_a_failure(gateway: FakeServer, *, use_async: bool) -> None:
    """After the first error, no further request is sent."""

    def respond(request: Request) -> Action:
        text = request.json["text"]
        if text.startswith(" "):
            return json_reply({"code": "x", "error": "No."}, 403)
        return create_response_without_bytes(text)

    gateway.respond = respond
    counter = create_counter(server_settings(gateway, max_retries=0))
    with pytest.raises(Exception, match="No"):
        count(counter, [" first", *(f"text {n}" for n in range(200))], use_async=use_async)
    assert len(gateway.requests) < 60
