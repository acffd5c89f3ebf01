"""Counts of tokens: exact from the service's own tokenizer, or an estimate that says it is one.

Nothing is downloaded and no tokenizer is guessed at: what was counted once is remembered, and where
the endpoint cannot be reached a documented rule takes its place, if the caller allows it.
"""

import warnings
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from threading import Lock
from typing import Any

from xai_lowcode._internal import json
from xai_lowcode._internal.fork_safety import reset_after_fork
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
"""The rule of an estimate: a token for every four bytes of UTF-8, the last ones rounded up."""

TOKENS_PER_MESSAGE = 3
"""What a message costs beside its text. xAI does not publish its template; with this figure and the
next the counts fit what it billed for short prompts, except that some models (Grok 4 among them)
are given several hundred tokens of their own before every prompt."""

TOKENS_BEFORE_RESPONSE = 3
"""What a conversation costs beside its messages."""

TOKENS_PER_IMAGE = 1792
"""The most a picture was said to cost, seven times 256; small ones cost less."""

_ROOM = 1_000_000
_ENTRY = 16
_PATIENCE = 10.0
_SILENCE = 30.0


@dataclass(frozen=True, slots=True)
class TokenCount:
    """A number of tokens.

    Attributes:
        tokens: The number.
        exact: Whether the service counted all of it; False for an estimate, even in part.
    """

    tokens: int
    exact: bool

    def __add__(self, other: "TokenCount") -> "TokenCount":
        return TokenCount(self.tokens + other.tokens, self.exact and other.exact)


def estimate_tokens(text: str) -> TokenCount:
    """The rule's count of a text, without the service.

    Example:
        >>> estimated("Hello world!")
        TokenCount(tokens=3, exact=False)
    """
    return TokenCount(-(-len(_utf8_length(text)) // BYTES_PER_TOKEN), exact=False)


class TokenCounter:
    """Counts tokens at the service, and remembers what it was told.

    Threads and event loops may share one. It keeps digests of texts, never the texts.

    Args:
        client: Asks for the sync methods.
        async_client: Asks for the async ones.
        room: How many tokens are remembered; the texts used least recently are forgotten first.

    Example:
        >>> from xai_lowcode import AsyncGateway, Gateway, Settings
        >>> settings = Settings.create(api_token="at_r0123456789abcdef")
        >>> counter = TokenCounter(Gateway(settings), AsyncGateway(settings))
        >>> counter.count("Hello world!", model="grok-4.7")  # doctest: +SKIP
        TokenCount(tokens=3, exact=True)
    """

    def __init__(
        self, client: SyncAPIClient, async_client: AsyncAPIClient, *, room: int = _ROOM
    ) -> None:
        self._client = client
        self._async_client = async_client
        self._known = _TokenCache(room)
        self._silent_until = float("-inf")
        self._warned = False

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._client, self._async_client)

    def ids(self, text: str, *, model: str) -> list[int]:
        """The tokens of a text by their numbers.

        Args:
            text: The text.
            model: The model whose tokens they are.

        Raises:
            UsageError: The text has no JSON form.
            XAILowCodeError: The call failed; numbers cannot be estimated.
        """
        return self._client.execute(self._ids(text, model, self._client.context))

    async def aids(self, text: str, *, model: str) -> list[int]:
        """The tokens of a text by their numbers; see ``ids``."""
        return await self._async_client.execute(self._ids(text, model, self._async_client.context))

    def count(self, text: str, *, model: str, estimate: bool = False) -> TokenCount:
        """Counts the tokens of a text.

        Args:
            text: The text.
            model: The model whose tokens they are.
            estimate: Whether the rule may count where the endpoint cannot be reached (a lost
                connection, a failure that may pass, a gateway without it). There is one warning,
                and the service is left alone for half a minute.

        Raises:
            UsageError: The text has no JSON form.
            XAILowCodeError: The call failed, and no estimate is allowed or would help.
        """
        return self._client.execute(self._count(text, model, estimate, self._client.context))

    async def acount(self, text: str, *, model: str, estimate: bool = False) -> TokenCount:
        """Counts the tokens of a text; see ``count``."""
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
        """Counts a conversation, one request for each message that is new.

        The texts are counted exactly. What is put around them, 3 tokens for a message and 3 for the
        conversation, and a picture, 1792, are estimates, so the sum always says that it is one.
        Tools count as their JSON. Documents, and what a model is told by xAI, are left out.

        Args:
            messages: The conversation.
            model: The model whose tokens they are.
            tools: Tools that go with it.
            estimate: Whether texts may be estimated too; see ``count``.

        Raises:
            UsageError: A text has no JSON form.
            XAILowCodeError: A call failed, and no estimate is allowed or would help.
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
        """Counts a conversation; see ``count_messages``."""
        context = self._async_client.context
        flow = self._count_messages(messages, tools, model, estimate, context)
        return await self._async_client.execute(flow)

    def _ids(self, text: str, model: str, context: CallContext) -> Flow[list[int]]:
        if not text:
            return []
        key = model, blake2b(_utf8_length(text), digest_size=16).digest()
        if (known := self._known.get(key)) is not None:
            return list(known)
        tokens = yield from tokenize(context, text, model=model)
        ids = [token.token_id for token in tokens]
        self._known.put(key, array("q", ids))
        return ids

    def _count(
        self, text: str, model: str, estimate: bool, context: CallContext
    ) -> Flow[TokenCount]:
        if not estimate:
            return TokenCount(len((yield from self._ids(text, model, context))), exact=True)
        if context.clock() < self._silent_until:
            return estimate_tokens(text)
        deadline = min(_PATIENCE, context.policy.deadline or _PATIENCE)
        try:
            ids = yield from self._ids(text, model, context.with_policy(RetryPolicy(0, deadline)))
        except XAILowCodeError as error:
            if not (error.is_retryable or isinstance(error, RouteNotFoundError)):
                raise
            self._fell_silent(error, context)
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
        around = TOKENS_BEFORE_RESPONSE
        texts = []
        for message in messages:
            around += TOKENS_PER_MESSAGE + TOKENS_PER_IMAGE * _count_images(message.parts)
            texts.append("\n".join(_texts_in(message.parts)))
        texts += [_tool_json(tool) for tool in tools]
        total = TokenCount(around, exact=False)
        for text in texts:
            total += yield from self._count(text, model, estimate, context)
        return total

    def _fell_silent(self, error: XAILowCodeError, context: CallContext) -> None:
        self._silent_until = context.clock() + _SILENCE
        if not self._warned:
            self._warned = True
            warnings.warn(
                f"Tokens are estimated, {BYTES_PER_TOKEN} bytes for one: {error}",
                UserWarning,
                stacklevel=2,
            )


class _TokenCache:
    """The tokens of texts seen before, by model and digest."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._used = 0
        self._entries: OrderedDict[tuple[str, bytes], array[int]] = OrderedDict()
        self._lock = Lock()
        reset_after_fork(self)

    def reset(self) -> None:
        """Opens the lock of a forked child: a thread that held it, in ``put`` say, is not there."""
        self._lock = Lock()
        self._used = sum(len(ids) + _ENTRY for ids in self._entries.values())

    def get(self, key: tuple[str, bytes]) -> "array[int] | None":
        with self._lock:
            ids = self._entries.get(key)
            if ids is not None:
                self._entries.move_to_end(key)
            return ids

    def put(self, key: tuple[str, bytes], ids: "array[int]") -> None:
        size = len(ids) + _ENTRY
        with self._lock:
            if key in self._entries or size > self._room:
                return
            self._entries[key] = ids
            self._used += size
            while self._used > self._room:
                _, forgotten = self._entries.popitem(last=False)
                self._used -= len(forgotten) + _ENTRY


def _utf8_length(text: str) -> bytes:
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
