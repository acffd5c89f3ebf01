"""Token counts: exact by xAI's tokenizer endpoint, or estimated.

No tokenizer is downloaded. Results are cached. If the endpoint cannot be reached, a documented rule
gives an estimate, if the caller allows it. The texts of a conversation are joined, so that one
request counts many of them.
"""

import asyncio
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.user_warnings import warn_user
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
from xai_lowcode.types.resources import TextToken

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

_MAX_JOINED_BYTES = 32_768
_MAX_CONCURRENT_REQUESTS = 8


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
        self._can_join = True

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
        """Count the tokens of a conversation by asking the service.

        The texts that are not cached are joined, about 32 kB of them in one request. The service
        returns the bytes of each token, by which the tokens are assigned to the texts. Texts whose
        count might differ are counted alone, up to 8 requests at once (threads in this method).

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
        counts: dict[str, TokenCount] = {}
        overhead, texts = _measure(messages, tools)
        for flows in self._rounds(texts, counts, model, estimate, self._client.context):
            _execute_all(self._client, flows)
        return _total(overhead, texts, counts)

    async def acount_messages(
        self,
        messages: Sequence[Message],
        *,
        model: str,
        tools: Sequence[ToolSpec] = (),
        estimate: bool = False,
    ) -> TokenCount:
        """Count the tokens of a conversation; see ``count_messages``."""
        counts: dict[str, TokenCount] = {}
        overhead, texts = _measure(messages, tools)
        for flows in self._rounds(texts, counts, model, estimate, self._async_client.context):
            await _aexecute_all(self._async_client, flows)
        return _total(overhead, texts, counts)

    def _ids(self, text: str, model: str, context: CallContext) -> Flow[list[int]]:
        if not text:
            return []
        if (cached := self._get_cached(text, model)) is not None:
            return list(cached)
        tokens = yield from tokenize(context, text, model=model)
        ids = [token.token_id for token in tokens]
        self._cache.put(_cache_key(text, model), array("q", ids))
        return ids

    def _get_cached(self, text: str, model: str) -> "array[int] | None":
        return self._cache.get(_cache_key(text, model))

    def _count(
        self, text: str, model: str, estimate: bool, context: CallContext
    ) -> Flow[TokenCount]:
        if not estimate:
            return TokenCount(len((yield from self._ids(text, model, context))), exact=True)
        if self._is_estimating(context):
            return estimate_tokens(text)
        try:
            ids = yield from self._ids(text, model, _without_retries(context))
        except XAILowCodeError as error:
            self._start_estimating(error, context)
            return estimate_tokens(text)
        return TokenCount(len(ids), exact=True)

    def _rounds(
        self,
        texts: Sequence[str],
        counts: dict[str, TokenCount],
        model: str,
        estimate: bool,
        context: CallContext,
    ) -> Iterator[list[Flow[None]]]:
        """Yield the flows that fill ``counts``; those of one list may be executed concurrently."""
        for text in texts:
            if (cached := self._get_cached(text, model)) is not None:
                counts[text] = TokenCount(len(cached), exact=True)
        missing = [text for text in dict.fromkeys(texts) if text not in counts]
        if self._can_join:
            yield [
                self._count_joined(batch, counts, model, estimate, context)
                for batch in _batches(missing)
            ]
        yield [
            self._count_alone(text, counts, model, estimate, context)
            for text in missing
            if text not in counts
        ]

    def _count_joined(
        self,
        texts: Sequence[str],
        counts: dict[str, TokenCount],
        model: str,
        estimate: bool,
        context: CallContext,
    ) -> Flow[None]:
        """Count texts by one request; leave out those to which no tokens can be assigned."""
        if estimate and self._is_estimating(context):
            return
        joined, spans = _join(texts)
        policy_context = _without_retries(context) if estimate else context
        try:
            tokens = yield from tokenize(policy_context, joined, model=model)
        except XAILowCodeError as error:
            if not estimate:
                raise
            self._start_estimating(error, context)
            return
        positions = _token_positions(tokens, joined)
        if positions is None:
            self._can_join = False  # Further requests of this kind would be in vain.
            return
        for text, (start, end) in zip(texts, spans, strict=True):
            if start in positions and end in positions:
                ids = array("q", [t.token_id for t in tokens[positions[start] : positions[end]]])
                self._cache.put(_cache_key(text, model), ids)
                counts[text] = TokenCount(len(ids), exact=True)

    def _count_alone(
        self,
        text: str,
        counts: dict[str, TokenCount],
        model: str,
        estimate: bool,
        context: CallContext,
    ) -> Flow[None]:
        counts[text] = yield from self._count(text, model, estimate, context)

    def _is_estimating(self, context: CallContext) -> bool:
        return context.clock() < self._estimate_until

    def _start_estimating(self, error: XAILowCodeError, context: CallContext) -> None:
        """Estimate from now on; raises the error if it is not transient."""
        if not (error.is_retryable or isinstance(error, RouteNotFoundError)):
            raise error
        self._estimate_until = context.clock() + _ESTIMATE_PERIOD
        if not self._warned:
            self._warned = True
            warn_user(f"Tokens are estimated with {BYTES_PER_TOKEN} bytes per token: {error}")


def _execute_all(client: SyncAPIClient, flows: Sequence[Flow[None]]) -> None:
    """Execute flows, several at once; the first error is raised, and no further flow is begun."""
    if len(flows) < 2:  # noqa: PLR2004 - no thread for a single request
        for flow in flows:
            client.execute(flow)
        return
    pool = ThreadPoolExecutor(_MAX_CONCURRENT_REQUESTS)
    try:
        futures = [pool.submit(copy_context().run, client.execute, flow) for flow in flows]
        for future in futures:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


async def _aexecute_all(client: AsyncAPIClient, flows: Sequence[Flow[None]]) -> None:
    """Execute flows, several at once; see ``_execute_all``."""
    remaining = iter(flows)

    async def work() -> None:
        for flow in remaining:
            await client.execute(flow)

    count = min(len(flows), _MAX_CONCURRENT_REQUESTS)
    if count == 1:
        return await work()
    tasks = [asyncio.create_task(work()) for _ in range(count)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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


def _cache_key(text: str, model: str) -> tuple[str, bytes]:
    return model, blake2b(_encode(text), digest_size=16).digest()


def _without_retries(context: CallContext) -> CallContext:
    """Return the context of a call whose result may be estimated."""
    deadline = min(_ESTIMATE_DEADLINE, context.policy.deadline or _ESTIMATE_DEADLINE)
    return context.with_policy(RetryPolicy(0, deadline))


def _measure(messages: Sequence[Message], tools: Sequence[ToolSpec]) -> tuple[int, list[str]]:
    """Return the estimated tokens of a conversation beside its texts, and the texts."""
    overhead = TOKENS_BEFORE_RESPONSE
    texts = []
    for message in messages:
        overhead += TOKENS_PER_MESSAGE + TOKENS_PER_IMAGE * _count_images(message.parts)
        texts.append("\n".join(_texts_in(message.parts)))
    return overhead, texts + [_tool_json(tool) for tool in tools]


def _total(overhead: int, texts: Sequence[str], counts: Mapping[str, TokenCount]) -> TokenCount:
    return sum((counts[text] for text in texts), start=TokenCount(overhead, exact=False))


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """Yield lists of two texts or more whose tokens are the same when they are joined."""
    batch: list[str] = []
    size = 0
    for text in texts:
        separator = _separator_after(text)
        if not separator:
            continue
        length = len(_encode(text)) + len(separator)
        if size + length > _MAX_JOINED_BYTES:
            if len(batch) > 1:
                yield batch
            batch, size = [], 0
        batch.append(text)
        size += length
    if len(batch) > 1:
        yield batch


def _separator_after(text: str) -> str:
    """Return a separator that merges neither with this text nor with others; empty if none does.

    xAI's published tokenizers, and others of their kind, split a text by a pattern before they
    merge bytes. It begins a new piece at each of these separators, and another one after it unless
    the next text begins with white space. Several spaces are one piece only at the end of a text.
    """
    if not text or text[0].isspace():
        return ""
    if text[-1] in "\r\n":
        return "X\n"
    if not text[-1].isspace():
        return " X\n"
    return "" if text[-2].isspace() and text[-2] not in "\r\n" else "1\n"


def _join(texts: Sequence[str]) -> tuple[str, list[tuple[int, int]]]:
    """Return the joined texts, and where each begins and ends in its UTF-8."""
    pieces, spans, position = [], [], 0
    for text in texts:
        end = position + len(_encode(text))
        separator = _separator_after(text)
        pieces += [text, separator]
        spans.append((position, end))
        position = end + len(separator)
    return "".join(pieces), spans


def _token_positions(tokens: Sequence[TextToken], text: str) -> dict[int, int] | None:
    """Return the index of the token that begins at each byte; None if its bytes are not known.

    The end of the text has the number of tokens.
    """
    positions, position, pieces = {0: 0}, 0, []
    for index, token in enumerate(tokens, start=1):
        try:
            pieces.append(bytes(token.token_bytes))
        except ValueError:
            return None
        position += len(pieces[-1])
        positions[position] = index
    return positions if b"".join(pieces) == _encode(json.replace_surrogates(text)) else None


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
