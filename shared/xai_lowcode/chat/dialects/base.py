"""Wire forms of a chat: each renders our request, reads its replies and decodes its streams.

A dialect knows the waist and JSON, nothing of HTTP, the gateway, or another dialect.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Dialect:
    """One API for chats: how a request is rendered, and how its response is parsed.

    Attributes:
        name: Its name in ``api=``.
        endpoint: The endpoint.
        render: Renders the request body; raises UsageError for what the API does not support.
        parse: Parses the body of a response; raises InvalidResponseError.
        is_complete: Whether the body of a response says why it ended.
        decoder: Returns a decoder for one stream.
        unsupported: Options without a field in this API. They are left out with a warning.
    """

    name: str
    endpoint: Endpoint[dict[str, Any]]
    render: "Render"
    parse: Callable[[dict[str, Any]], ChatResponse]
    is_complete: Callable[[dict[str, Any]], bool]
    decoder: Callable[[], Decoder]
    unsupported: frozenset[str] = frozenset()


class Render(Protocol):
    """Renders a request body."""

    def __call__(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """Return the request body."""
