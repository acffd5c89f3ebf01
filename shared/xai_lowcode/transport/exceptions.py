"""Map exceptions of httpx to errors of this package, and to the outcome of an attempt.

The errors are not linked to httpx's exceptions: those hold the request, and the frames of their
tracebacks its target.
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

# What exceptions mean, by class name: httpx and httpx2 share the names. The second member says
# whether the request may have arrived, where the connection does not tell.
_MEANINGS: dict[str, tuple[type[APIConnectionError], bool]] = {
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
# longer may have worked on the request.
STALE_SECONDS = 0.1


def map_exception(exception: BaseException, progress: Any = None) -> XAILowCodeError | None:
    """Return the error that an exception means; None if it is no failure of the network.

    Args:
        exception: What httpx raised.
        progress: How far the request had come; None where the client that was given does not tell.
    """
    if isinstance(exception, XAILowCodeError):
        return exception
    if isinstance(exception, ExceptionGroup):
        return map_exception(exception.exceptions[0], progress)
    names = [base.__name__ for base in type(exception).__mro__]
    said = _describe(exception)
    if "DecodingError" in names:
        return InvalidResponseError(f"The answer could not be decompressed ({said}).")
    meanings = (_MEANINGS[name] for name in names if name in _MEANINGS)
    error, request_sent = next(meanings, (None, False))
    if error is None:
        return None
    if _is_certificate_error(exception):
        proxy = progress.proxy if progress is not None else None
        whose = f"the server or of the proxy {proxy}" if proxy else "the server"
        return CertificateVerificationError(
            f"certificate verify failed: the certificate of {whose} is not trusted ({said}).",
            hint="Name the file of your CA certificates in SSL_CERT_FILE, or pass it as verify.",
        )
    if progress is not None:
        request_sent = progress.sent
    hint = None if progress is not None else "The http_client, or its proxy, may be the cause."
    return error(_to_sentence(error, names, progress, said), hint=hint, request_sent=request_sent)


def _describe(exception: BaseException) -> str:
    name, text = type(exception).__name__, str(exception)
    if name == "ProxyError" and text[:3].isdigit():
        # The rest is the proxy's own words, which may repeat its credentials.
        text = text[:3]
    return f"{name}: {text}" if text else name


def _to_sentence(
    error: type[APIConnectionError], names: list[str], progress: Any, said: str
) -> str:
    if "ProxyError" in names:
        return f"The proxy refused the connection ({said})."
    if progress is not None and progress.proxy and not progress.sent:
        return f"The connection through the proxy {progress.proxy} failed ({said})."
    if issubclass(error, APITimeoutError):
        return f"The gateway did not answer in time ({said})."
    if progress is not None and progress.sent and progress.bytes_received:
        return f"The response broke off after {progress.bytes_received} bytes ({said})."
    return f"No answer came from the gateway ({said})."


def failed_attempt(
    exception: BaseException, progress: Any, response: Any, *, idempotent: bool
) -> RequestFailed | None:
    """Return the outcome of an attempt that failed; None if it is no failure of the network.

    Args:
        exception: What httpx raised.
        progress: How far the request had come; None if it was not built.
        response: The head of the response, if it had come.
        idempotent: Whether sending the request twice does no harm.
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
        # A client that was given does not tell whether a part of the response had come.
        maybe = error.request_sent and not timed_out and not idempotent
        error.response_started = response is not None or maybe
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
    """Return the error that a failure to read a stream means; None as for ``map_exception``."""
    error = map_exception(exception)
    if error is None or isinstance(error, APITimeoutError | InvalidResponseError):
        return error
    return StreamInterruptedError(
        f"The stream broke off ({_describe(exception)}).",
        hint="What was received is not the whole response.",
    )


def strip_tracebacks(exception: BaseException) -> None:
    """Clear the tracebacks of an exception chain: their frames reference the request target.

    For what is no failure of the network: an interruption, or a defect.
    """
    for each in _chain(exception):
        each.__traceback__ = None


def _is_certificate_error(exception: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(exception) or any(
        isinstance(each, ssl.SSLCertVerificationError) for each in _chain(exception)
    )


def _chain(exception: BaseException) -> Iterator[BaseException]:
    waiting: list[BaseException | None] = [exception]
    known: set[int] = set()
    while waiting:
        one = waiting.pop()
        if one is not None and id(one) not in known:
            known.add(id(one))
            waiting += [one.__cause__, one.__context__]
            yield one
