"""Inputs and outputs of the handlers, before the gateway wraps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.state import Emulator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HandlerRequest:
    """One request as the provider receives it, with the emulator's options and state."""

    body: Any
    path: dict[str, str]
    query: dict[str, str]
    sequence: int
    emulator: Emulator


@dataclass(frozen=True, slots=True)
class SSEFrame:
    """One server-sent event; `closing` marks those that complete a choice or the stream."""

    data: Json | str
    event: str | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """A success: the JSON body, and the events of the same response if it is streamed."""

    body: Any
    frames: Sequence[SSEFrame] | None = None
    heartbeat: SSEFrame | None = None


@dataclass(frozen=True, slots=True)
class BinaryResult:
    """A success with raw bytes; the gateway does not forward one without a content type."""

    content: bytes
    content_type: str | None
    status: int = 200


class CrashError(Exception):
    """The gateway's process ends while it handles a request."""


class ProviderError(Exception):
    """An error response of the provider; the body is a JSON object or a string."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def coded_error(status: int, code: str, error: str) -> ProviderError:
    """Return an error with a code and a message."""
    return ProviderError(status, {"code": code, "error": error})


def invalid_argument(error: str) -> ProviderError:
    """Return the 400 for an argument that xAI refuses."""
    return coded_error(400, "invalid-argument", error)


def not_found(error: str) -> ProviderError:
    """Return the 404 for something that does not exist."""
    return coded_error(404, "not-found", error)


def undeserializable(problem: str) -> ProviderError:
    """Return the 422 for a body that does not match the type of the request."""
    lead = "Failed to deserialize the JSON body into the target type: "
    return ProviderError(422, {"error": lead + problem})
