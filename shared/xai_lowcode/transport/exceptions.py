"""Map exceptions of httpx to errors of this package, and to the outcome of an attempt.

The errors do not have httpx's exceptions as causes: those reference the request, and the frames of
their tracebacks the request target with the token.
"""

import ssl
from collections.abc import Iterator
from time import monotonic
from typing import Any

from xai_lowcode.errors import (
    APIConnectionError,
    APITimeoutError,
    CertificateVerificationError,
    InvalidResponseError,
    StreamInterruptedError,
    XAILowCodeError,
)
from xai_lowcode.protocol.steps import RequestFailed

# By class name, since httpx and httpx2 share the names: the error, and whether the request may have
# been sent if its progress is not known.
_ERRORS: dict[str, tuple[type[APIConnectionError], bool]] = {
    "ConnectTimeout": (APITimeoutError, False),
    "PoolTimeout": (APITimeoutError, False),
    "TimeoutException": (APITimeoutError, True),
    "TimeoutError": (APITimeoutError, True),
    "ConnectError": (APIConnectionError, False),
    "ProxyError": (APIConnectionError, False),
    "UnsupportedProtocol": (APIConnectionError, False),
    "RequestError": (APIConnectionError, True),
    "OSError": (APIConnectionError, True),
}
# A server that closes an idle connection does so within a round trip of the write. One that takes
# longer may have processed the request.
STALE_SECONDS = 0.1


def map_exception(exception: BaseException, progress: Any = None) -> XAILowCodeError | None:
    """Map an exception of httpx to an error; None if it is not a network failure.

    Args:
        exception: The exception.
        progress: The progress of the request; None for a custom ``http_client``.
    """
    if isinstance(exception, XAILowCodeError):
        return exception
    if isinstance(exception, ExceptionGroup):
        return map_exception(exception.exceptions[0], progress)
    names = [base.__name__ for base in type(exception).__mro__]
    description = _describe(exception)
    if "DecodingError" in names:
        return InvalidResponseError(f"The response could not be decompressed ({description}).")
    matches = (_ERRORS[name] for name in names if name in _ERRORS)
    error_class, request_sent = next(matches, (None, False))
    if error_class is None:
        return None
    if _is_certificate_error(exception):
        proxy = progress.proxy if progress is not None else None
        host = f"the server or of the proxy {proxy}" if proxy else "the server"
        return CertificateVerificationError(
            f"certificate verify failed: the certificate of {host} is not trusted ({description}).",
            hint="Set SSL_CERT_FILE to the file of your CA certificates, or pass it as verify.",
        )
    if progress is not None:
        request_sent = progress.sent
    summary = _summarize(exception, error_class, names, progress)
    hint = None if progress is not None else "The cause may be the http_client or its proxy."
    return error_class(f"{summary} ({description}).", hint=hint, request_sent=request_sent)


def _describe(exception: BaseException) -> str:
    name, text = type(exception).__name__, str(exception)
    if name == "ProxyError" and text[:3].isdigit():
        # Only the status: the reason phrase may repeat the proxy's credentials.
        text = text[:3]
    return f"{name}: {text}" if text else name


def _summarize(
    exception: BaseException,
    error_class: type[APIConnectionError],
    names: list[str],
    progress: Any,
) -> str:
    if "ProxyError" in names:
        return "The proxy refused the connection"
    if progress is not None and progress.proxy and not progress.sent:
        return f"The connection through the proxy {progress.proxy} failed"
    if issubclass(error_class, APITimeoutError):
        return "The request timed out"
    if progress is not None and progress.sent and progress.bytes_received:
        return f"The response was truncated after {progress.bytes_received} bytes"
    if any(isinstance(cause, ConnectionRefusedError) for cause in _iter_chain(exception)):
        return "Connection refused by the gateway"
    return "No response from the gateway"


def failed_attempt(
    exception: BaseException, progress: Any, response: Any, *, idempotent: bool
) -> RequestFailed | None:
    """Return the outcome of a failed attempt; None if it is not a network failure.

    Args:
        exception: The exception of httpx.
        progress: The progress of the request; None if it was not built.
        response: The response, if its head was received.
        idempotent: Whether the request may be sent twice without harm.
    """
    if progress is not None and not progress.monitored:
        progress = None
    error = map_exception(exception, progress)
    if not isinstance(error, APIConnectionError):
        return (
            None if error is None else RequestFailed(error, response_started=response is not None)
        )
    timed_out = isinstance(error, APITimeoutError)
    if progress is None:
        # A custom http_client does not report whether part of the response was received.
        possible = error.request_sent and not timed_out and not idempotent
        error.response_started = response is not None or possible
        return RequestFailed(error, response_started=error.response_started)
    error.response_started = response is not None or (progress.sent and progress.bytes_received > 0)
    closed_at_once = monotonic() - progress.last_write < STALE_SECONDS
    stale = progress.connection_reused and error.request_sent and closed_at_once
    return RequestFailed(
        error,
        connection_was_stale=stale and not error.response_started and not timed_out,
        response_started=error.response_started,
    )


def map_stream_exception(exception: Exception) -> XAILowCodeError | None:
    """Map an exception from reading a stream to an error; None as for ``map_exception``."""
    error = map_exception(exception)
    if error is None or isinstance(error, APITimeoutError | InvalidResponseError):
        return error
    return StreamInterruptedError(
        f"The stream was interrupted ({_describe(exception)}).",
        hint="The received response is incomplete.",
    )


def strip_tracebacks(exception: BaseException) -> None:
    """Clear the tracebacks of an exception chain: their frames reference the request target.

    For exceptions that are not mapped to errors, such as ``KeyboardInterrupt``.
    """
    for cause in _iter_chain(exception):
        cause.__traceback__ = None


def _is_certificate_error(exception: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(exception) or any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in _iter_chain(exception)
    )


def _iter_chain(exception: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [exception]
    visited: set[int] = set()
    while pending:
        current = pending.pop()
        if current is not None and id(current) not in visited:
            visited.add(id(current))
            pending += [current.__cause__, current.__context__]
            yield current
