"""The exceptions of this package.

    XAILowCodeError
    ├── UsageError                      nothing was sent: invalid token, URL, option or file
    ├── APIConnectionError              no response was received
    │   ├── APITimeoutError
    │   └── CertificateVerificationError
    ├── APIStatusError                  the gateway or xAI returned an error
    │   ├── BadRequestError             400, 405, 410, 413, 415, 422
    │   │   └── ContextLengthError
    │   ├── AuthenticationError         401, and xAI's 400 for a wrong key
    │   ├── PermissionDeniedError       403
    │   │   ├── AccountNotConnectedError
    │   │   ├── ContentPolicyError
    │   │   └── CreditsExhaustedError   (403 or 429)
    │   ├── NotFoundError               404
    │   │   ├── RouteNotFoundError      the gateway has no such endpoint
    │   │   └── ModelNotFoundError      (400 or 404)
    │   ├── RateLimitError              429
    │   └── InternalServerError         5xx
    └── InvalidResponseError            a successful response that cannot be parsed
        ├── CorruptedDownloadError      a download that differs from the stored file
        └── StreamInterruptedError      a stream that ended before its terminal event
            └── StreamTimeoutError      and an APITimeoutError: a stream that timed out

``protocol.error_mapping`` maps responses to them. No error holds a token, a request or a response
object: messages and bodies are redacted and truncated when the error is created.
"""

from typing import Any, ClassVar, Literal, Self

from xai_lowcode.redaction import bounded, excerpt

ErrorSource = Literal["client", "gateway", "provider", "unknown"]

MAX_MESSAGE = 2_000
"""Length of a message, a hint, a code or an id in an error, in characters."""

MAX_VALUE = 500
"""Length of a value that is quoted in a message, in characters."""

TOKEN_SOURCE = "Create one at https://lowcodeapi.com, and connect your xAI account there."  # noqa: S105 - a sentence


class XAILowCodeError(Exception):
    """Base class of all exceptions of this package.

    Attributes:
        message: What went wrong, in one sentence.
        hint: What to do about it; None if there is nothing to do.
        status_code: HTTP status of the response; None without a response.
        code: The error code of xAI or the gateway.
        source: Where the error originated: ``"client"`` (this package), ``"gateway"``,
            ``"provider"`` (xAI), or ``"unknown"`` if the response does not show it.
        request_id: The ``x-request-id`` of the response, for support requests.
        retry_after: Seconds to wait, from ``Retry-After``; None without that header.
        body: The JSON or text of the response, redacted. A large one is truncated: ``…`` ends a
            truncated string, and ``[truncated]`` replaces left out items.
        field: The invalid argument or request field, for a ``UsageError``.
    """

    is_retryable: ClassVar[bool] = False
    """Whether the error is transient, so that a retry may succeed."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        source: ErrorSource = "client",
        request_id: str | None = None,
        retry_after: float | None = None,
        body: Any = None,
        field: str | None = None,
    ) -> None:
        self.message = excerpt(message, limit=MAX_MESSAGE)
        super().__init__(self.message)
        self.hint = _truncate(hint)
        self.status_code = status_code
        self.code = _truncate(code)
        self.source = source
        self.request_id = _truncate(request_id)
        self.retry_after = retry_after
        self.body = bounded(body)
        self.field = _truncate(field)

    def redact_token(self, token: str) -> Self:
        """Redact the token in all attributes, and return the error itself."""
        for name in ("message", "hint", "code", "request_id", "field"):
            setattr(self, name, _truncate(getattr(self, name), token))
        self.body = bounded(self.body, token)
        self.args = (self.message,)
        return self

    def __str__(self) -> str:
        details = [str(self.status_code) if self.status_code else "", self.code or ""]
        suffix = " ".join(detail for detail in details if detail)
        text = f"{self.message} ({self.source}: {suffix})" if suffix else self.message
        return f"{text} {self.hint}" if self.hint else text


class UsageError(XAILowCodeError):
    """An argument is invalid; nothing was sent.

    Not a ValueError: pydantic would turn one into a ValidationError that repeats the input, and
    with it the token.
    """


class APIConnectionError(XAILowCodeError):
    """No response was received: connection refused or reset, unknown host, TLS failure.

    Attributes:
        request_sent: Whether the request may have been received and be processed.
        response_started: Whether part of a response was received.
    """

    is_retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, request_sent: bool = False, **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.request_sent = request_sent
        self.response_started = False


class APITimeoutError(APIConnectionError):
    """Connecting, or the response, took longer than the timeout."""


class CertificateVerificationError(APIConnectionError):
    """The TLS certificate of the server or the proxy is not trusted."""

    is_retryable: ClassVar[bool] = False


class APIStatusError(XAILowCodeError):
    """The gateway or xAI returned an error, possibly with status 200."""


class BadRequestError(APIStatusError):
    """The request is invalid: an argument, its type, or its size."""


class ContextLengthError(BadRequestError):
    """The prompt is longer than the model's context window."""


class AuthenticationError(APIStatusError):
    """The token of the gateway, or the xAI key of its account, is invalid."""


class PermissionDeniedError(APIStatusError):
    """The token or the key has no permission for this request."""


class AccountNotConnectedError(PermissionDeniedError):
    """The token is valid, but no xAI key is connected to its account."""


class ContentPolicyError(PermissionDeniedError):
    """The request violates xAI's usage guidelines."""


class CreditsExhaustedError(PermissionDeniedError):
    """The xAI team behind the account has no credits left, or reached its spending limit."""


class NotFoundError(APIStatusError):
    """The resource does not exist: response, file or deferred completion."""


class RouteNotFoundError(NotFoundError):
    """The gateway has no such endpoint."""


class ModelNotFoundError(NotFoundError):
    """The model does not exist, is retired, or is not open to this account."""


class RateLimitError(APIStatusError):
    """Too many requests or tokens; ``retry_after`` has the seconds to wait, if known."""

    is_retryable: ClassVar[bool] = True


class InternalServerError(APIStatusError):
    """The gateway or xAI failed (5xx, or a failure reported inside a 200)."""

    is_retryable: ClassVar[bool] = True


class InvalidResponseError(XAILowCodeError):
    """A successful response cannot be parsed: it is empty, HTML, or has another shape."""


class CorruptedDownloadError(InvalidResponseError):
    """A download differs from the stored file.

    Attributes:
        content: The bytes that were received.
    """

    def __init__(self, message: str, *, content: bytes = b"", **attributes: Any) -> None:
        super().__init__(message, **attributes)
        self.content = content


class StreamInterruptedError(InvalidResponseError):
    """A stream ended before its terminal event; what was received is incomplete."""

    is_retryable: ClassVar[bool] = True


class StreamTimeoutError(StreamInterruptedError, APITimeoutError):
    """A stream timed out after its response had started; what was received is incomplete.

    A handler of ``StreamInterruptedError`` catches it, and one of ``APITimeoutError`` too. If the
    timeout comes before the response starts, the error is a plain ``APITimeoutError``.

    Attributes:
        request_sent: True.
        response_started: True.
    """

    def __init__(self, message: str, **attributes: Any) -> None:
        super().__init__(message, **{"request_sent": True, **attributes})
        self.response_started = True


def describe_value(value: Any) -> str:
    """Return the ``repr`` of a value for a message, redacted and truncated.

    Example:
        >>> describe_value("a"), describe_value(10**5_000)
        ("'a'", 'an int')
    """
    try:
        return excerpt(repr(value), limit=MAX_VALUE)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the repr of a caller's object may raise anything
        name = type(value).__name__
        return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def unexpected_response_error(defect: Exception, body: Any = None) -> InvalidResponseError:
    """Return the error for a response whose parsing failed with an unexpected exception.

    Args:
        defect: The exception; only its class is named, since its message may quote the response.
        body: The response.

    Raises:
        MemoryError: The defect itself, if it is one.
    """
    if isinstance(defect, MemoryError):
        raise defect
    return InvalidResponseError(
        f"The response cannot be parsed ({type(defect).__name__}).",
        hint="It does not have the shape of this endpoint. Report it if xAI documents it.",
        body=body,
    )


def _truncate(value: Any, token: str = "") -> Any:
    return excerpt(value, token, limit=MAX_MESSAGE) if isinstance(value, str) else value
