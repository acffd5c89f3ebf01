"""The token of a client: a fixed one, or a function that is called for each request."""

from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from xai_lowcode._internal.validation import check_token, check_token_source
from xai_lowcode.errors import UsageError
from xai_lowcode.redaction import RedactedStr

_MAX_RECENT = 8


class TokenSource:
    """Calls a function that returns the token, and remembers the last tokens to redact them.

    Args:
        function: Returns a token: a string or a ``SecretStr``.
    """

    __slots__ = ("_function", "_recent")

    def __init__(self, function: Callable[[], SecretStr | str]) -> None:
        self._function = function
        self._recent = RedactedStr("")

    @property
    def recent(self) -> str:
        """The last tokens, separated by spaces; tokens contain none."""
        return self._recent

    def read(self) -> str:
        """Return the current token.

        Raises:
            UsageError: The function did not return a token.
        """
        token = RedactedStr(to_token(self._function()).get_secret_value())
        known = str.split(self._recent)
        if token not in known:
            self._recent = RedactedStr(" ".join([*known[-_MAX_RECENT + 1 :], str.__str__(token)]))
        return token


def to_token(value: Any) -> SecretStr:
    """Return a function's result as a token.

    Raises:
        UsageError: It is not a token.
    """
    value = check_token_source(value) if isinstance(value, str) else value
    if not isinstance(value, SecretStr):
        kind = type(value).__name__
        value = None
        raise UsageError(
            f"api_token: the function returned a {kind} instead of a string.", field="api_token"
        )
    return check_token(value.get_secret_value())
