"""Wire forms of a chat: each renders our request, reads its replies and decodes its streams.

A dialect knows the waist and JSON, nothing of HTTP, the gateway, or another dialect.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse


class _NoEvents(tuple[()]):
    """A tuple without entries that is not the empty tuple."""

    __slots__ = ()


UNKNOWN: Final[Iterable[StreamEvent]] = _NoEvents()
"""What a decoder returns for a chunk of a kind that its API is not known to send."""


class Decoder(Protocol):
    """Turns the chunks of one stream into events.

    Attributes:
        ended: Whether the API's own terminal event has come, after which nothing need be read.
    """

    ended: bool

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Return the events of the next chunk: none for a heartbeat, ``UNKNOWN`` if it is unknown.

        Raises:
            APIStatusError: The chunk reports that the response failed.
            StreamInterruptedError: It ends a response that is not complete.
            InvalidResponseError: It is not what the API sends.
        """

    def done(self) -> Iterable[StreamEvent]:
        """Return the events that only the end of the stream makes certain.

        Called at ``[DONE]`` or when the bytes end, if the response is complete.
        """

    @property
    def complete(self) -> bool:
        """Whether every choice has a finish reason, or the API's terminal event has come."""


class Dialect(Protocol):
    """One wire form."""

    @property
    def name(self) -> str:
        """How users choose it."""

    @property
    def operation(self) -> Endpoint[dict[str, Any]]:
        """The endpoint that speaks it."""

    @property
    def unsupported(self) -> frozenset[str]:
        """Options of a request that have no member in this form, and are left out with a word."""

    def render(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The request body; raises UsageError for what the form cannot carry."""

    def parse(self, body: dict[str, Any]) -> ChatResponse:
        """A plain answer; raises InvalidResponseError for what is none."""

    def is_complete(self, body: dict[str, Any]) -> bool:
        """Whether a plain answer says why it ended, as a stream must before its end."""

    def decoder(self) -> Decoder:
        """A fresh decoder for one stream."""
