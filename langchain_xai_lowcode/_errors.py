"""Our errors as LangChain's: each class is both, so that either ``except`` catches it.

LangChain's retry middleware and fallbacks go by its own ``Model…Error`` classes; applications that
know this package go by ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from langchain_core import exceptions as theirs

from xai_lowcode import errors as ours


class UsageError(ours.UsageError, theirs.ModelInvalidRequestError):
    """The call cannot be made as asked; nothing was sent."""


class APIConnectionError(ours.APIConnectionError, theirs.ModelConnectionError):
    """No answer came."""


class APITimeoutError(ours.APITimeoutError, theirs.ModelTimeoutError):
    """The answer took longer than allowed."""


class CertificateVerificationError(ours.CertificateVerificationError, theirs.ModelConnectionError):
    """The server's TLS certificate is not trusted."""


class APIStatusError(ours.APIStatusError, theirs.ModelError):
    """The gateway or xAI refused."""


class BadRequestError(ours.BadRequestError, theirs.ModelInvalidRequestError):
    """The request is wrong."""


class ContextLengthError(ours.ContextLengthError, theirs.ContextOverflowError):
    """The prompt is longer than the model's context window."""


class AuthenticationError(ours.AuthenticationError, theirs.ModelAuthenticationError):
    """The token, or the xAI key behind it, is not accepted."""


class PermissionDeniedError(ours.PermissionDeniedError, theirs.ModelPermissionDeniedError):
    """The token or the key may not do this."""


class AccountNotConnectedError(ours.AccountNotConnectedError, theirs.ModelPermissionDeniedError):
    """No xAI key is connected to the token's account."""


class ContentPolicyError(ours.ContentPolicyError, theirs.ModelPermissionDeniedError):
    """XAI's content rules refused the request."""


class CreditsExhaustedError(ours.CreditsExhaustedError, theirs.ModelPermissionDeniedError):
    """No credits are left."""


class NotFoundError(ours.NotFoundError, theirs.ModelNotFoundError):
    """There is no such thing at xAI."""


class RouteNotFoundError(ours.RouteNotFoundError, theirs.ModelNotFoundError):
    """The gateway has no such endpoint."""


class ModelNotFoundError(ours.ModelNotFoundError, theirs.ModelNotFoundError):
    """The model does not exist, or is not open to this account."""


class RateLimitError(ours.RateLimitError, theirs.ModelRateLimitError):
    """Too many requests or tokens."""


class InternalServerError(ours.InternalServerError, theirs.ModelAPIError):
    """The gateway or xAI failed."""


class InvalidResponseError(ours.InvalidResponseError, theirs.ModelError):
    """A successful answer that is not what the endpoint returns."""


class CorruptedDownloadError(ours.CorruptedDownloadError, theirs.ModelError):
    """A download is not the file that was stored."""


class StreamInterruptedError(ours.StreamInterruptedError, theirs.ModelConnectionError):
    """A stream ended before its terminal event."""


COUNTERPARTS: dict[type[ours.XAILowCodeError], type[ours.XAILowCodeError]] = {
    twin.__mro__[1]: twin
    for twin in tuple(vars().values())
    if isinstance(twin, type)
    and issubclass(twin, ours.XAILowCodeError)
    and issubclass(twin, theirs.ModelError)
}
"""Our class to the one that is LangChain's too."""


@contextmanager
def langchain_errors() -> Iterator[None]:
    """Raises what is raised inside as its counterpart."""
    try:
        yield
    except ours.XAILowCodeError as error:
        counterpart = COUNTERPARTS.get(type(error))
        if counterpart is None:
            raise
        twin = counterpart(error.message)
        vars(twin).update(vars(error))
        raise twin from None
