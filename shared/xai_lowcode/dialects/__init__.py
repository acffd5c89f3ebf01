"""Wire forms of a chat: each renders our request, reads its replies and decodes its streams.

A dialect knows the waist and JSON, nothing of HTTP, the gateway, or another dialect.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from xai_lowcode.conversation import ChatRequest
from xai_lowcode.events import StreamEvent
from xai_lowcode.operation import Operation
from xai_lowcode.reply import Reply


class Decoder(Protocol):
    """Turns the chunks of one stream into events.

    Attributes:
        ended: Whether the form's own closing event has come, after which there is nothing to read.
    """

    ended: bool

    def feed(self, chunk: dict[str, Any]) -> Iterable[StreamEvent]:
        """Events of the next chunk; none for a heartbeat."""

    def done(self) -> Iterable[StreamEvent]:
        """Events that only the end of the stream makes certain.

        Called at ``[DONE]`` or when the bytes end.
        """

    @property
    def complete(self) -> bool:
        """Whether the stream has said all that makes a whole answer."""


class Dialect(Protocol):
    """One wire form."""

    @property
    def name(self) -> str:
        """How users choose it."""

    @property
    def operation(self) -> Operation[dict[str, Any]]:
        """The endpoint that speaks it."""

    @property
    def unsupported(self) -> frozenset[str]:
        """Options of a request that have no member in this form, and are left out with a word."""

    def render(self, request: ChatRequest, *, stream: bool) -> dict[str, Any]:
        """The request body; raises UsageError for what the form cannot carry."""

    def parse(self, body: dict[str, Any]) -> Reply:
        """A plain answer; raises UnreadableAnswerError for what is none."""

    def decoder(self) -> Decoder:
        """A fresh decoder for one stream."""
