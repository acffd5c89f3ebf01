"""Dialects: each renders requests, parses responses and decodes streams of one API.

A dialect depends on ``types`` and JSON only, not on HTTP, the gateway or another dialect.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from xai_lowcode.protocol.endpoint import Endpoint
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

if TYPE_CHECKING:
    from xai_lowcode.types.events import StreamEvent


class _NoEvents(tuple[()]):
    """An empty tuple that is not identical to ``()``."""

    __slots__ = ()


UNKNOWN: Final["Iterable[StreamEvent]"] = _NoEvents()
"""Returned by a decoder for a chunk of a type that its API is not known to send."""


class Decoder(Protocol):
    """Decodes the chunks of one stream into events.

    Attributes:
        ended: Whether the API's terminal event was received, after which nothing need be read.
    """

    ended: bool

    def feed(self, chunk: dict[str, Any]) -> "Iterable[StreamEvent]":
        """Return the events of the next chunk: none for a heartbeat, ``UNKNOWN`` if it is unknown.

        Raises:
            APIStatusError: The chunk reports that the response failed.
            StreamInterruptedError: The chunk ends a response that is not complete.
            InvalidResponseError: The chunk has an invalid field.
        """

    def finish(self) -> "Iterable[StreamEvent]":
        """Return the events that are known only at the end of the stream.

        Called at ``[DONE]`` or at the end of the bytes, if the response is complete.
        """

    @property
    def complete(self) -> bool:
        """Whether every choice has a finish reason, or the terminal event was received."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dialect:
    """One chat API: how a request is rendered, and how its response is parsed.

    Attributes:
        name: Name in ``api=``.
        endpoint: The endpoint that requests are sent to.
        render: Renders the request body; raises UsageError for what the API does not support.
        parse: Parses the body of a response; raises InvalidResponseError.
        is_complete: Returns whether the body of a response has a finish reason.
        decoder: Creates a decoder for one stream.
        unsupported: Options without a field in this API. They are dropped with a warning.
    """

    name: str
    endpoint: Endpoint[dict[str, Any]]
    render: "Render"
    parse: Callable[[dict[str, Any]], ChatResponse]
    is_complete: Callable[[dict[str, Any]], bool]
    decoder: Callable[[], Decoder]
    unsupported: frozenset[str] = frozenset()


class Render(Protocol):
    """Function that renders a request body."""

    def __call__(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the request body."""
