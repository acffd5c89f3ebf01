"""Token counts: exact by xAI's tokenizer endpoint, or estimated.

No tokenizer is downloaded. Results are cached. If the endpoint cannot be reached, a documented rule
gives an estimate, if the caller allows it.
"""

import warnings
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode.api.methods import tokenize
from xai_lowcode.errors import RouteNotFoundError, XAILowCodeError
from xai_lowcode.protocol.call_flow import CallContext
from xai_lowcode.protocol.retry import RetryPolicy
from xai_lowcode.protocol.steps import Flow
from xai_lowcode.transport.async_client import AsyncAPIClient
from xai_lowcode.transport.sync_client import SyncAPIClient
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ToolSpec

BYTES_PER_TOKEN = 4
"""Bytes of UTF-8 per token in an estimate, rounded up."""

TOKENS_PER_MESSAGE = 3
"""Tokens of a message beside its text. xAI does not publish its template; with this number and the
next the counts match what was billed for short prompts, except that some models (Grok 4 among them)
add several hundred tokens to every prompt."""

TOKENS_BEFORE_RESPONSE = 3
"""Tokens of a conversation beside its messages."""

TOKENS_PER_IMAGE = 1792
"""Maximum of an image, seven times 256; small images cost less."""

_CACHE_SIZE = 1_000_000
_ENTRY_OVERHEAD = 16
_ESTIMATE_DEADLINE = 10.0
_ESTIMATE_PERIOD = 30.0


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens.

    Attributes:
        tokens: The number.
        exact: Whether the service counted all of it; False if any part is an estimate.
    """

    tokens: int
    exact: bool

    def __add__(self, other: "TokenCount") -> "TokenCount":
        return TokenCount(self.tokens + other.tokens, self.exact and other.exact)


def estimate_tokens(text: str) -> TokenCount:
    """Estimate the number of tokens of a text, without a request.

    Example:
        >>> estimate_tokens("Hello world!")
        TokenCount(tokens=3, exact=False)
    """
    return TokenCount(-(-len(_encode(text)) // BYTES_PER_TOKEN), exact=False)


class TokenCounter:
    """Counts tokens with the tokenizer endpoint and caches the results.

    Threads and event loops may share a counter. The cache holds digests of texts, not the texts.

    Args:
        client: Client of the sync methods.
        async_client: Client of the async methods.
        cache_size: Number of token ids to cache; the least recently used texts are evicted.

    Example:
        >>> from xai_lowcode import AsyncGateway, Gateway, Settings
        >>> settings = Settings.create(api_token="at_r0123456789abcdef")
        >>> counter = TokenCounter(Gateway(settings), AsyncGateway(settings))
        >>> counter.count("Hello world!", model="grok-4.7")  # doctest: +SKIP
        TokenCount(tokens=3, exact=True)
    """

    def __init__(
        self, client: SyncAPIClient, async_client: AsyncAPIClient, *, cache_size: int = _CACHE_SIZE
    ) -> None:
        self._client = client
        self._async_client = async_client
        self._cache = _TokenCache(cache_size)
        self._estimate_until = float("-inf")
        self._warned = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._client, self._async_client)

    def ids(self, text: str, *, model: str) -> list[int]:
        """Return the token ids of a text.

        Args:
            text: The text.
            model: The model whose tokenizer is used.

        Raises:
            UsageError: The text cannot be serialized as JSON.
            XAILowCodeError: The call failed; ids cannot be estimated.
        """
        return self._client.execute(self._ids(text, model, self._client.context))

    async def aids(self, text: str, *, model: str) -> list[int]:
        """Return the token ids of a text; see ``ids``."""
        return await self._async_client.execute(self._ids(text, model, self._async_client.context))

    def count(self, text: str, *, model: str, estimate: bool = False) -> TokenCount:
        """Count the tokens of a text.

        Args:
            text: The text.
            model: The model whose tokenizer is used.
            estimate: Whether to estimate if the endpoint cannot be reached (a connection error, a
                transient error, a gateway without the endpoint). The first estimate emits a
                warning, and no request is made for the next 30 seconds.

        Raises:
            UsageError: The text cannot be serialized as JSON.
            XAILowCodeError: The call failed, and an estimate is not allowed or would not help.
        """
        return self._client.execute(self._count(text, model, estimate, self._client.context))

    async def acount(self, text: str, *, model: str, estimate: bool = False) -> TokenCount:
        """Count the tokens of a text; see ``count``."""
        context = self._async_client.context
        return await self._async_client.execute(self._count(text, model, estimate, context))

    def count_messages(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        tools: Sequence[ToolSpec] = (),
        estimate: bool = False,
    ) -> TokenCount:
        """Count the tokens of a conversation, with one request for each new message.

        Texts are counted exactly. The overhead, 3 tokens per message and 3 per conversation, and
        images, 1792 tokens each, are estimates, so the result is always an estimate. Tools count as
        their JSON. Documents and system prompts of xAI are not counted.

        Args:
            messages: The conversation.
            model: The model whose tokenizer is used.
            tools: Tools of the request.
            estimate: Whether to estimate texts too; see ``count``.

        Raises:
            UsageError: A text cannot be serialized as JSON.
            XAILowCodeError: A call failed, and an estimate is not allowed or would not help.
        """
        context = self._client.context
        return self._client.execute(self._count_messages(messages, tools, model, estimate, context))

    async def acount_messages(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        tools: Sequence[ToolSpec] = (),
        estimate: bool = False,
    ) -> TokenCount:
        """Count the tokens of a conversation; see ``count_messages``."""
        context = self._async_client.context
        flow = self._count_messages(messages, tools, model, estimate, context)
        return await self._async_client.execute(flow)

    def _ids(self, text: str, model: str, context: CallContext) -> Flow[list[int]]:
        if not text:
            return []
        key = model, blake2b(_encode(text), digest_size=16).digest()
        if (cached := self._cache.get(key)) is not None:
            return list(cached)
        tokens = yield from tokenize(context, text, model=model)
        ids = [token.token_id for token in tokens]
        self._cache.put(key, array("q", ids))
        return ids

    def _count(
        self, text: str, model: str, estimate: bool, context: CallContext
    ) -> Flow[TokenCount]:
        if not estimate:
            return TokenCount(len((yield from self._ids(text, model, context))), exact=True)
        if context.clock() < self._estimate_until:
            return estimate_tokens(text)
        deadline = min(_ESTIMATE_DEADLINE, context.policy.deadline or _ESTIMATE_DEADLINE)
        try:
            ids = yield from self._ids(text, model, context.with_policy(RetryPolicy(0, deadline)))
        except XAILowCodeError as error:
            if not (error.is_retryable or isinstance(error, RouteNotFoundError)):
                raise
            self._start_estimating(error, context)
            return estimate_tokens(text)
        return TokenCount(len(ids), exact=True)

    def _count_messages(
        self,
        messages: Sequence[Message],
        tools: Sequence[ToolSpec],
        model: str,
        estimate: bool,
        context: CallContext,
    ) -> Flow[TokenCount]:
        overhead = TOKENS_BEFORE_RESPONSE
        texts = []
        for message in messages:
            overhead += TOKENS_PER_MESSAGE + TOKENS_PER_IMAGE * _count_images(message.parts)
            texts.append("\n".join(_texts_in(message.parts)))
        texts += [_tool_json(tool) for tool in tools]
        total = TokenCount(overhead, exact=False)
        for text in texts:
            total += yield from self._count(text, model, estimate, context)
        return total

    def _start_estimating(self, error: XAILowCodeError, context: CallContext) -> None:
        self._estimate_until = context.clock() + _ESTIMATE_PERIOD
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Tokens are estimated with {BYTES_PER_TOKEN} bytes per token: {error}",
                UserWarning,
                stacklevel=2,
            )


class _TokenCache:
    """An LRU cache of token ids by model and digest of the text.

    Writes are skipped while the lock is held, so that a child which was forked at that moment does
    not block.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._used = 0
        self._entries: OrderedDict[tuple[str, bytes], array[int]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: tuple[str, bytes]) -> "array[int] | None":
        ids = self._entries.get(key)
        if ids is not None:
            with suppress(KeyError):  # evicted by another thread
                self._entries.move_to_end(key)
        return ids

    def put(self, key: tuple[str, bytes], ids: "array[int]") -> None:
        size = len(ids) + _ENTRY_OVERHEAD
        if size > self._size or not self._lock.acquire(blocking=False):
            return
        try:
            if key in self._entries:
                return
            self._entries[key] = ids
            self._used += size
            while self._used > self._size:
                _, evicted = self._entries.popitem(last=False)
                self._used -= len(evicted) + _ENTRY_OVERHEAD
        finally:
            self._lock.release()


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _texts_in(parts: Sequence[Part]) -> Iterator[str]:
    for part in parts:
        match part:
            case TextPart() | ReasoningPart():
                yield part.text
            case ToolCallPart():
                yield f"{part.name} {part.arguments}"
            case ToolResultPart():
                yield from _texts_in(part.content)


def _count_images(parts: Sequence[Part]) -> int:
    return sum(
        _count_images(part.content)
        if isinstance(part, ToolResultPart)
        else isinstance(part, ImagePart)
        for part in parts
    )


def _tool_json(tool: ToolSpec) -> str:
    return json.dumps(
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    ).decode()
