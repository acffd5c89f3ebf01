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
    StreamTimeoutError,
    XAILowCodeError,
)
from xai_lowcode.protocol.steps import RequestFailed
from xai_lowcode.transport.request_builder import RequestProgress

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

_INCOMPLETE = "The received response is incomplete."


def map_exception(
    exception: BaseException, progress: RequestProgress | None = None, host: str = ""
) -> XAILowCodeError | None:
    """Map an exception of httpx to an error; None if it is not a network failure.

    Args:
        exception: The exception.
        progress: The progress of the request; None for a custom ``http_client``.
        host: Host and port of the server, for the message.
    """
    if isinstance(exception, XAILowCodeError):
        return exception
    if isinstance(exception, ExceptionGroup):
        return map_exception(exception.exceptions[0], progress, host)
    names = [base.__name__ for base in type(exception).__mro__]
    description = _describe(exception)
    if "DecodingError" in names:
        return InvalidResponseError(f"The response could not be decompressed ({description}).")
    matches = (_ERRORS[name] for name in names if name in _ERRORS)
    error_class, possibly_sent = next(matches, (None, False))
    if error_class is None:
        return None
    hint = None
    if progress is None:
        hint = "The cause may be the http_client or its proxy."
        progress = RequestProgress(b"", sent=possibly_sent)
    proxy, received = progress.proxy, progress.bytes_received
    causes = list(_iter_chain(exception))
    if "CERTIFICATE_VERIFY_FAILED" in str(exception) or any(
        isinstance(cause, ssl.SSLCertVerificationError) for cause in causes
    ):
        server = f"the server {host}".rstrip() + (f" or of the proxy {proxy}" if proxy else "")
        return CertificateVerificationError(
            f"certificate verify failed: the certificate of {server} is not trusted"
            f" ({description}).",
            hint="Set SSL_CERT_FILE to the file of your CA certificates, or pass it as verify.",
        )
    refused = any(isinstance(cause, ConnectionRefusedError) for cause in causes)
    if not progress.sent and hint is None:
        hint = "Check base_url, the network and proxies."
    if description == "ProxyError: 407":
        hint = (
            "Put the user name and the password of the proxy into its URL:"
            " http://user:password@host:port."
        )
    gateway = f"the gateway at {host}" if host else "the gateway"
    summaries = (
        ("ProxyError" in names, "The proxy refused the connection"),
        (proxy and not progress.sent, f"The connection through the proxy {proxy} failed"),
        (
            issubclass(error_class, APITimeoutError) and host and not progress.sent,
            f"The connection to {gateway} timed out",
        ),
        (issubclass(error_class, APITimeoutError), "The request timed out"),
        (received, f"The response was truncated after {received} bytes"),
        (refused, f"Connection refused by {gateway}"),
        (True, f"No response from {gateway}"),
    )
    summary = next(text for applies, text in summaries if applies)
    return error_class(f"{summary} ({description}).", hint=hint, request_sent=progress.sent)


def _describe(exception: BaseException) -> str:
    name, text = type(exception).__name__, str(exception)
    if name == "ProxyError" and text[:3].isdigit():
        # Only the status: the reason phrase may repeat the proxy's credentials.
        text = text[:3]
    return f"{name}: {text}" if text else name


def failed_attempt(
    exception: BaseException,
    progress: RequestProgress | None,
    response: Any,
    *,
    idempotent: bool,
    host: str,
) -> RequestFailed | None:
    """Return the outcome of a failed attempt; None if it is not a network failure.

    Args:
        exception: The exception of httpx.
        progress: The progress of the request; None for a custom ``http_client``.
        response: The response, if its head was received.
        idempotent: Whether the request may be sent twice without harm.
        host: Host and port of the server, for the message.
    """
    error = map_exception(exception, progress, host)
    if error is None:
        return None
    started, stale = response is not None, False
    if isinstance(error, APIConnectionError):
        possible = error.request_sent and not isinstance(error, APITimeoutError)
        if progress is None:
            # A custom http_client does not report whether part of the response was received.
            started = started or (possible and not idempotent)
        else:
            started = started or progress.bytes_received > 0
            closed_at_once = monotonic() - progress.last_write < STALE_SECONDS
            stale = progress.connection_reused and possible and closed_at_once and not started
        error.response_started = started
    return RequestFailed(error, connection_was_stale=stale, response_started=started)


def map_stream_exception(exception: Exception) -> XAILowCodeError | None:
    """Map an exception from reading a stream to an error; None as for ``map_exception``.

    The head of the response was received, so the error is a ``StreamInterruptedError``, unless the
    response itself is invalid.
    """
    error = map_exception(exception)
    if error is None or isinstance(error, InvalidResponseError):
        return error
    if isinstance(error, APITimeoutError):
        # After the deadline, the error is this package's own.
        is_own = error is exception
        return StreamTimeoutError(
            error.message if is_own else f"The stream timed out ({_describe(exception)}).",
            hint=f"{_INCOMPLETE} Increase timeout or deadline if the model needs longer.",
        )
    return StreamInterruptedError(
        f"The stream was interrupted ({_describe(exception)}).", hint=_INCOMPLETE
    )


def strip_tracebacks(exception: BaseException) -> None:
    """Clear the tracebacks of an exception chain: their frames reference the request target.

    For exceptions that are not mapped to errors, such as ``KeyboardInterrupt``.
    """
    for cause in _iter_chain(exception):
        cause.__traceback__ = None


def _iter_chain(exception: BaseException) -> Iterator[BaseException]:
    pending: list[BaseException | None] = [exception]
    visited: set[int] = set()
    while pending:
        current = pending.pop()
        if current is not None and id(current) not in visited:
            visited.add(id(current))
            pending += [current.__cause__, current.__context__]
            yield current
