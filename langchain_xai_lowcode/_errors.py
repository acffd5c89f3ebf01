"""Error classes that are subclasses of this package's errors and of LangChain's.

LangChain's retry middleware and fallbacks use its ``Model…Error`` classes, applications may use
either.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core import exceptions as lc

from xai_lowcode import errors as core


class UsageError(core.UsageError, lc.ModelInvalidRequestError):
    """An argument is invalid; nothing was sent."""


class APIConnectionError(core.APIConnectionError, lc.ModelConnectionError):
    """The connection failed before a complete response was received."""


class APITimeoutError(core.APITimeoutError, lc.ModelTimeoutError):
    """The request exceeded a timeout or the deadline."""


class CertificateVerificationError(core.CertificateVerificationError, lc.ModelConnectionError):
    """The server's TLS certificate is not trusted."""


class APIStatusError(core.APIStatusError, lc.ModelError):
    """The gateway or xAI returned an error."""


class BadRequestError(core.BadRequestError, lc.ModelInvalidRequestError):
    """The request is invalid."""


class ContextLengthError(core.ContextLengthError, lc.ContextOverflowError):
    """The prompt is longer than the model's context window."""


class AuthenticationError(core.AuthenticationError, lc.ModelAuthenticationError):
    """The token, or the xAI key of its account, is invalid."""


class PermissionDeniedError(core.PermissionDeniedError, lc.ModelPermissionDeniedError):
    """The token or the key has no permission for the request."""


class AccountNotConnectedError(core.AccountNotConnectedError, lc.ModelPermissionDeniedError):
    """No xAI key is connected to the token's account."""


class ContentPolicyError(core.ContentPolicyError, lc.ModelPermissionDeniedError):
    """XAI refused the request because of its content policy."""


class CreditsExhaustedError(core.CreditsExhaustedError, lc.ModelPermissionDeniedError):
    """No credits are left."""


class NotFoundError(core.NotFoundError, lc.ModelNotFoundError):
    """The requested resource does not exist."""


class RouteNotFoundError(core.RouteNotFoundError, lc.ModelNotFoundError):
    """The gateway has no such endpoint."""


class ModelNotFoundError(core.ModelNotFoundError, lc.ModelNotFoundError):
    """The model does not exist, or the account has no access to it."""


class RateLimitError(core.RateLimitError, lc.ModelRateLimitError):
    """Too many requests or tokens."""


class InternalServerError(core.InternalServerError, lc.ModelAPIError):
    """The gateway or xAI had an internal error."""


class InvalidResponseError(core.InvalidResponseError, lc.ModelError):
    """The body of a successful response is invalid."""


class CorruptedDownloadError(core.CorruptedDownloadError, lc.ModelError):
    """A downloaded file differs from the stored one."""


class StreamInterruptedError(core.StreamInterruptedError, lc.ModelConnectionError):
    """A stream ended before its terminal event."""


class StreamTimeoutError(core.StreamTimeoutError, lc.ModelTimeoutError):
    """A stream timed out after its response had started."""


COUNTERPARTS: dict[type[core.XAILowCodeError], type[core.XAILowCodeError]] = {
    cls.__mro__[1]: cls
    for cls in tuple(vars().values())
    if isinstance(cls, type)
    and issubclass(cls, core.XAILowCodeError)
    and issubclass(cls, lc.ModelError)
}
"""Maps this package's error classes to their subclasses in this module."""


@contextmanager
def langchain_errors() -> Iterator[None]:
    """Convert this package's errors that are raised inside to those of this module."""
    try:
        yield
    except core.XAILowCodeError as error:
        counterpart = COUNTERPARTS.get(type(error))
        if counterpart is None:
            raise
        converted = counterpart(error.message)
        vars(converted).update(vars(error))
        raise converted from None
