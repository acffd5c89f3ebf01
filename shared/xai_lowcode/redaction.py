"""Blanks whatever looks like a token in texts and JSON documents.

Everything that leaves the package as an error, a log line or a record passes here first. The
gateway's own answers can quote the token (its 401 echoes the whole query), so answers count as
untrusted too.
"""

import re
from functools import lru_cache
from typing import Any, Self
from urllib.parse import quote

BLANK = "[redacted]"
DEEPEST = 100
"""How deep a document is looked into; what lies below is blanked as a whole."""

# LOWCODEAPI_API_TOKEN is the name of a variable, and xai-lowcode that of this package.
_QUERY = r"(?<![A-Za-z_])(?i:api_token)(?:=|%3[dD])[^&\s\"'<>\\]+"
_FROM_GATEWAY = r"\bat_[A-Za-z0-9_]{6,}"
_FROM_XAI = r"\bxai-(?!lowcode\b)[A-Za-z0-9_-]{6,}"
_BEARER = r"(?i:bearer)\s+[^\s\"',}]+"

# Members that hold credentials or echo the request, whatever they contain.
_SECRET_MEMBERS = frozenset({"api_token", "authorization", "cookie", "set-cookie", "logging"})


class Secret(str):
    """The token in use: text to whoever needs it, blanked where a frame's variables are shown."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Takes the text itself: of another ``Secret``, ``str`` would give what it prints."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return "<token>"

    __str__ = __repr__


@lru_cache(maxsize=64)
def _pattern(token: str) -> re.Pattern[str]:
    spellings = {token, quote(token, safe="")} - {""}
    literal = [re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True)]
    return re.compile("|".join([*literal, _QUERY, _FROM_GATEWAY, _FROM_XAI, _BEARER]))


def redact_text(text: str, token: str = "") -> str:
    """Returns the text with the given token, and all that looks like one, blanked.

    Example:
        >>> redact_text("GET /xai/v1/models?api_token=at_r0123456789&limit=3")
        'GET /xai/v1/models?[redacted]&limit=3'
    """
    return _pattern(token).sub(BLANK, text)


def redact(document: Any, token: str = "", *, depth: int = 0) -> Any:
    """Returns a copy of a JSON document without tokens, credentials and echoed requests."""
    match document:
        case str():
            return redact_text(document, token)
        case dict() | list() | tuple() if depth > DEEPEST:
            return BLANK
        case dict():
            return {
                redact_text(key, token) if isinstance(key, str) else key: BLANK
                if isinstance(key, str) and key.lower() in _SECRET_MEMBERS
                else redact(value, token, depth=depth + 1)
                for key, value in document.items()
            }
        case list() | tuple():
            return [redact(value, token, depth=depth + 1) for value in document]
        case _:
            return document
