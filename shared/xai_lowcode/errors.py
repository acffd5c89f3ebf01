"""The error tree: what can go wrong, as classes that can be caught, told apart and pickled.

    XAILowCodeError
    ├── UsageError                      nothing was sent: token, address, field, file
    ├── APIConnectionError              no answer came
    │   ├── APITimeoutError
    │   └── CertificateVerificationError
    ├── APIStatusError                  the gateway or xAI refused
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
    └── InvalidResponseError           a success that cannot be read
        ├── CorruptedDownloadError            a download that is not the file
        └── StreamInterruptedError      a stream that broke off

Which answer becomes which error is decided in ``classification``, and nowhere else. No error holds
a token, a request or a response object: texts and bodies are redacted on the way in, and what is
kept of them is bounded, so that no body, however large, makes an error large or slow.
"""

from typing import Any, ClassVar, Literal, Self

from xai_lowcode.redaction import bounded, excerpt

ErrorSource = Literal["client", "gateway", "provider", "unknown"]

MAX_MESSAGE = 2_000
"""Characters of a message, a hint, a code or an id in an error."""

MAX_VALUE = 500
"""Characters of a value that is quoted in a message."""

# Where hints send people who have no token, or a wrong one.
TOKEN_SOURCE = "Create one at https://lowcodeapi.com, and connect your xAI account there."  # noqa: S105 - a sentence


class XAILowCodeError(Exception):
    """Anything this package raises.

    Attributes:
        message: What went wrong, in one sentence, without tokens.
        hint: What to do about it, if there is something to do.
        status_code: HTTP status of the answer; None where there was none.
        code: xAI's or the gateway's own error code, as text.
        maker: Who refused: ``"client"`` (this package), ``"gateway"``, ``"provider"`` (xAI), or
            ``"unknown"`` where the answer does not show it.
        request_id: The ``x-request-id`` of the answer, for a support request.
        retry_after: Seconds the other side asked to wait.
        body: The answer's JSON or text, redacted; of a large one the beginning, with ``…`` at the
            end of a text that was cut, and ``[truncated]`` in place of what was left out.
        field: The argument or request field at fault, for a UsageError.
    """

    is_retryable: ClassVar[bool] = False
    """Whether the same call may succeed when it is simply made again."""

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        maker: ErrorSource = "client",
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
        self.maker = maker
        self.request_id = _truncate(request_id)
        self.retry_after = retry_after
        self.body = bounded(body)
        self.field = _truncate(field)

    def redact_token(self, token: str) -> Self:
        """Blanks the token in use, which need not look like one; returns the error itself."""
        for name in ("message", "hint", "code", "request_id", "field"):
            setattr(self, name, _truncate(getattr(self, name), token))
        self.body = bounded(self.body, token)
        self.args = (self.message,)
        return self

    def __str__(self) -> str:
        facts = [str(self.status_code) if self.status_code else "", self.code or ""]
        where = " ".join(fact for fact in facts if fact)
        text = f"{self.message} ({self.maker}: {where})" if where else self.message
        return f"{text} {self.hint}" if self.hint else text


class UsageError(XAILowCodeError):
    """The call cannot be made as asked; nothing was sent.

    Not a ValueError: pydantic would turn one into a ValidationError that repeats the input, and
    with it the token.
    """


class APIConnectionError(XAILowCodeError):
    """No answer came: refused, reset, no such host, TLS failure.

    Attributes:
        reached: Whether the request may have arrived, and be carried out.
        begun: Whether part of the answer had come.
    """

    is_retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, reached: bool = False, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.reached = reached
        self.begun = False


class APITimeoutError(APIConnectionError):
    """The answer, or the connection, took longer than allowed."""


class CertificateVerificationError(APIConnectionError):
    """The server's, or the proxy's, TLS certificate is not trusted."""

    is_retryable: ClassVar[bool] = False


class APIStatusError(XAILowCodeError):
    """The gateway or xAI answered with an error, also with one inside a 200."""


class BadRequestError(APIStatusError):
    """The request is wrong: an argument, its type, or its size."""


class ContextLengthError(BadRequestError):
    """The prompt is longer than the model's context window."""


class AuthenticationError(APIStatusError):
    """The gateway's token, or the xAI key stored in the account, is not accepted."""


class PermissionDeniedError(APIStatusError):
    """The token or the key may not do this."""


class AccountNotConnectedError(PermissionDeniedError):
    """The token is valid, but no xAI key is connected to its account."""


class ContentPolicyError(PermissionDeniedError):
    """XAI's content rules refused the request."""


class CreditsExhaustedError(PermissionDeniedError):
    """The xAI team behind the account has no credits left, or reached its spending limit."""


class NotFoundError(APIStatusError):
    """There is no such thing at xAI: response, file or deferred answer."""


class RouteNotFoundError(NotFoundError):
    """The gateway has no such endpoint."""


class ModelNotFoundError(NotFoundError):
    """The model does not exist, is retired, or is not open to this account."""


class RateLimitError(APIStatusError):
    """Too many requests or tokens; wait ``retry_after`` seconds if it is given."""

    is_retryable: ClassVar[bool] = True


class InternalServerError(APIStatusError):
    """The gateway or xAI failed (5xx, or a failure reported inside a 200)."""

    is_retryable: ClassVar[bool] = True


class InvalidResponseError(XAILowCodeError):
    """A successful answer that is not what the endpoint returns: empty, HTML, another shape."""


class CorruptedDownloadError(InvalidResponseError):
    """A download is not the file that was stored.

    Attributes:
        content: What came instead.
    """

    def __init__(self, message: str, *, content: bytes = b"", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.content = content


class StreamInterruptedError(InvalidResponseError):
    """A stream ended before its terminal event; what was received is not the whole answer."""

    is_retryable: ClassVar[bool] = True


def describe_value(value: Any) -> str:
    """Returns a value as a message quotes it: short, redacted, whatever its ``repr`` does.

    Example:
        >>> describe("a"), describe(10**5_000)
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
    """Returns the error for a response on which reading failed with an exception that is not ours.

    Args:
        defect: What was raised; only its class is named, since its text may quote the response.
        body: The response.

    Raises:
        MemoryError: It is the defect; the response may be readable.
    """
    if isinstance(defect, MemoryError):
        raise defect
    return InvalidResponseError(
        f"The response cannot be read ({type(defect).__name__}).",
        hint="It is not what this endpoint returns; please report it if it is.",
        body=body,
    )


def _truncate(value: Any, token: str = "") -> Any:
    return excerpt(value, token, limit=MAX_MESSAGE) if isinstance(value, str) else value
