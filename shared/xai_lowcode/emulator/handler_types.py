"""What a room of the provider is asked and what it gives back, before the gateway touches it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.state import Emulator

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request as it reaches the provider; the desk has the switches and what is remembered."""

    body: Any
    path: dict[str, str]
    query: dict[str, str]
    sequence: int
    desk: Emulator


@dataclass(frozen=True, slots=True)
class Frame:
    """One server-sent event; `closing` marks those that tell the client it has all."""

    data: Json | str
    event: str | None = None
    closing: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """A success: one body, and the frames of the same answer where a stream was asked for."""

    body: Any
    frames: Sequence[Frame] | None = None
    heartbeat: Frame | None = None


@dataclass(frozen=True, slots=True)
class Blob:
    """A success that is bytes; without a content type the gateway never passes it on."""

    content: bytes
    content_type: str | None
    status: int = 200


class ProviderError(Exception):
    """An error that the provider answers; the body is a JSON object or a bare text."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def coded(status: int, code: str, error: str) -> ProviderError:
    """Makes an error in xAI's usual shape."""
    return ProviderError(status, {"code": code, "error": error})


def invalid(error: str) -> ProviderError:
    """Makes the error for an argument that xAI refuses."""
    return coded(400, "invalid-argument", error)


def absent(error: str) -> ProviderError:
    """Makes the error for something that does not exist."""
    return coded(404, "not-found", error)


def unreadable(problem: str) -> ProviderError:
    """Makes the error for a body that does not fit the type of the request."""
    lead = "Failed to deserialize the JSON body into the target type: "
    return ProviderError(422, {"error": lead + problem})
