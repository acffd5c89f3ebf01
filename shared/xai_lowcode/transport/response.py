"""Read responses: which bodies are streamed, how they are decompressed, how much they may weigh."""

import zlib
from time import monotonic
from typing import Any

from xai_lowcode.errors import APITimeoutError, InvalidResponseError
from xai_lowcode.protocol.steps import Call, HTTPResponse

_GZIP = zlib.MAX_WBITS | 16
_RAW_DEFLATE = -zlib.MAX_WBITS

DONE = True
"""What the stream of a client is sent when the response is complete."""


class BodyLimits:
    """How much of one response may be read, and until when.

    Args:
        max_bytes: Size of the decompressed body.
        within: Seconds from now; None for no limit.
    """

    __slots__ = ("_deadline", "_late", "_left", "_max_bytes", "_within")

    def __init__(self, max_bytes: int, within: float | None) -> None:
        self._max_bytes = self._left = max_bytes
        self._within = within
        self._deadline = None if within is None else monotonic() + within
        self._late = False

    def check(self, chunk: bytes) -> None:
        """Count a chunk.

        A chunk that is late may be the last one, and then the response is complete, and paid for.

        Raises:
            APITimeoutError: The chunk before it came too late.
            InvalidResponseError: The body is too large.
        """
        self._left -= len(chunk)
        if self._left < 0:
            raise too_large(self._max_bytes)
        if self._deadline is not None:
            if self._late:
                raise APITimeoutError(
                    f"The answer was not complete within {self._within:.3g} s.", request_sent=True
                )
            self._late = monotonic() > self._deadline


def too_large(max_bytes: int) -> InvalidResponseError:
    """Return the error for a body that is larger than allowed."""
    return InvalidResponseError(
        f"The response is larger than max_response_bytes ({max_bytes} bytes).",
        hint="Set max_response_bytes higher if a response of this size is expected.",
    )


def should_stream_body(call: Call[Any], response: Any) -> bool:
    """Return whether the body is left to be read chunk by chunk.

    JSON and HTML are read whole, and so is what comes compressed although it was not asked for.
    """
    content_type = response.headers.get("content-type", "")
    return (
        call.stream
        and response.is_success
        and not content_type.startswith(("application/json", "text/html"))
        and "content-encoding" not in response.headers
    )


def stream_started(response: Any) -> HTTPResponse:
    """Return the head of a stream, whose body is unread."""
    return HTTPResponse(response.status_code, _headers(response), None)


def read_response(response: Any, content: bytes, max_bytes: int) -> HTTPResponse:
    """Return a whole response, decompressed.

    Raises:
        InvalidResponseError: It is compressed in a way that was not offered, is damaged, or larger
            than ``max_bytes``.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        content = decompress(content, encoding, max_bytes)
    return HTTPResponse(response.status_code, _headers(response), content)


def decompress(content: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body, no further than ``max_bytes``.

    Args:
        content: The body as it was received.
        encoding: Its ``Content-Encoding``: ``gzip`` or ``deflate``, the ones that are offered.
        max_bytes: Size of the decompressed body at most.

    Raises:
        InvalidResponseError: Another encoding, damaged content, or a larger body.
    """
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise InvalidResponseError(
            f"The response has the content encoding {encoding[:100]!r}, which was not asked for."
        )
    windows = (zlib.MAX_WBITS, _RAW_DEFLATE) if encoding == "deflate" else (_GZIP,)
    for window_bits in windows:
        decompressor = zlib.decompressobj(window_bits)
        try:
            decompressed = decompressor.decompress(content, max_bytes + 1)
        except zlib.error as error:
            reason = str(error)
            continue
        if len(decompressed) > max_bytes:
            raise too_large(max_bytes)
        if decompressor.eof or not content:
            return decompressed
        reason = "it ends too early"
    raise InvalidResponseError(f"The response cannot be decompressed ({encoding}: {reason}).")


def abort_connection(response: Any) -> bool:
    """Close the connection of a response without waiting; return whether it is one of ours."""
    abort = response.extensions.get("abort")
    if abort is not None:
        abort()
    return abort is not None


def _headers(response: Any) -> dict[str, str]:
    return dict(response.headers.items())
