"""Read responses: streaming, decompression and size limits."""

import io
import zlib
from time import monotonic
from typing import Any

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.errors import APITimeoutError, InvalidResponseError
from xai_lowcode.protocol.steps import Call, HTTPResponse

import_before_fork("gzip")

_GZIP = zlib.MAX_WBITS | 16
_GZIP_START = b"\x1f\x8b"
_RAW_DEFLATE = -zlib.MAX_WBITS

DONE = True
"""Sent into the stream of a client when the response is complete."""


class BodyLimits:
    """Limits of the size of one response, and of the time to read it.

    Args:
        max_bytes: Maximum size of the body.
        timeout: Seconds from now; None for no limit.
    """

    __slots__ = ("_deadline", "_expired", "_max_bytes", "_remaining_bytes", "_timeout")

    def __init__(self, max_bytes: int, timeout: float | None) -> None:
        self._max_bytes = self._remaining_bytes = max_bytes
        self._timeout = timeout
        self._deadline = None if timeout is None else monotonic() + timeout
        self._expired = False

    def check(self, chunk: bytes) -> None:
        """Check the limits after a chunk was received.

        One chunk after the deadline is accepted: it may be the last one, and the complete response
        is billed.

        Raises:
            APITimeoutError: The previous chunk was received after the deadline.
            InvalidResponseError: The body is too large.
        """
        self._remaining_bytes -= len(chunk)
        if self._remaining_bytes < 0:
            raise _response_too_large(self._max_bytes)
        if self._deadline is not None:
            if self._expired:
                raise APITimeoutError(
                    f"The response timed out: it was not complete within {self._timeout:.3g} s.",
                    request_sent=True,
                )
            self._expired = monotonic() > self._deadline


def _response_too_large(max_bytes: int) -> InvalidResponseError:
    return InvalidResponseError(
        f"The response is larger than max_response_bytes ({max_bytes} bytes).",
        hint="Increase max_response_bytes if a response of this size is expected.",
    )


def should_stream_body(call: Call[Any], response: Any) -> bool:
    """Return whether the body is read chunk by chunk.

    JSON, HTML, and responses that are compressed although that was not requested, are read at once.
    """
    content_type = response.headers.get("content-type", "")
    return (
        call.stream
        and response.is_success
        and not content_type.startswith(("application/json", "text/html"))
        and "content-encoding" not in response.headers
    )


def read_head(response: Any) -> HTTPResponse:
    """Return the status and the headers of a stream whose body is unread."""
    return HTTPResponse(response.status_code, _headers(response), None)


def read_response(response: Any, content: bytes, max_bytes: int) -> HTTPResponse:
    """Return a complete response with its body decompressed.

    Args:
        response: The httpx response.
        content: The body as it was received.
        max_bytes: Maximum size of the decompressed body.

    Raises:
        InvalidResponseError: See ``decompress``.
    """
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        content = decompress(content, encoding, max_bytes)
    return HTTPResponse(response.status_code, _headers(response), content)


def decompress(content: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress a body.

    Args:
        content: The body as it was received.
        encoding: Its ``Content-Encoding``, ``gzip`` or ``deflate``.
        max_bytes: Maximum size of the decompressed body. Decompression stops there.

    Raises:
        InvalidResponseError: The encoding was not requested, the content is corrupted or truncated,
            or the decompressed body is too large.
    """
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise InvalidResponseError(
            f"The response has the content encoding {encoding[:100]!r}, which was not requested."
        )
    windows = (zlib.MAX_WBITS, _RAW_DEFLATE) if encoding == "deflate" else (_GZIP,)
    for window_bits in windows:
        decompressor = zlib.decompressobj(window_bits)
        try:
            decompressed = decompressor.decompress(content, max_bytes + 1)
            if encoding != "deflate" and decompressor.unused_data.startswith(_GZIP_START):
                decompressed = _decompress_members(content, max_bytes + 1)
        except (zlib.error, OSError, EOFError) as error:
            reason = str(error)
            continue
        if len(decompressed) > max_bytes:
            raise _response_too_large(max_bytes)
        if decompressor.eof or not content:
            return decompressed
        reason = "it is truncated"
    raise InvalidResponseError(f"The response cannot be decompressed ({encoding}: {reason}).")


def _decompress_members(content: bytes, max_bytes: int) -> bytes:
    """Decompress a gzip body of several members: some servers compress each part on its own."""
    import gzip  # noqa: PLC0415 - rarely needed

    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        return file.read(max_bytes)


def abort_connection(response: Any) -> bool:
    """Close the connection of a response without awaiting anything, if it is of this package.

    Returns:
        Whether it was closed; False for a response of a custom ``http_client``.
    """
    abort = response.extensions.get("abort")
    if abort is not None:
        abort()
    return abort is not None


def _headers(response: Any) -> dict[str, str]:
    return dict(response.headers.items())
