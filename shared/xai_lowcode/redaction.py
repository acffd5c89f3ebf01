"""Redact credentials in strings and JSON documents, and limit their size.

All errors and log records are redacted. Responses are untrusted too: the gateway's 401 echoes the
query with the token. ``excerpt`` and ``bounded`` process a limited amount of their input,
``redact_text`` and ``redact`` all of it.

Truncation may split a token. Truncated strings therefore end with ``ELLIPSIS``, and a prefix of a
token before it is redacted like a complete token.
"""

import codecs
import html
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, Self

from pydantic import SecretStr

REDACTED = "[redacted]"
ELLIPSIS = "…"
"""The end of a truncated string."""

TRUNCATED = "[truncated]"
"""The last item or key of a truncated list or dict, and the value of omitted ones."""

MAX_REDACTED_DEPTH = 100
"""Nesting depth that ``redact`` processes; deeper values are redacted completely."""

MAX_EXCERPT = 50_000
"""Maximum length of an excerpt."""

MAX_STRING = 10_000
"""Maximum length of a string in a bounded document."""

MAX_CHARACTERS = 20_000
"""Maximum length of all strings in a bounded document together."""

MAX_NODES = 1_000
"""Maximum number of values in a bounded document."""

MAX_DEPTH = 50
"""Maximum nesting depth of a bounded document."""

# Keys of credentials and echoed requests.
_SECRET_KEYS = frozenset({"api_token", "authorization", "cookie", "set-cookie", "logging"})
_MAX_SECRET_KEY_LENGTH = max(map(len, _SECRET_KEYS))

# Not the ellipsis of a masked key (xai-0…0).
_BEFORE_ELLIPSIS = rf"(?={ELLIPSIS}(?!\w))"
# Characters of a prefix that are compared; a longer prefix is matched by its beginning.
_PREFIX_LENGTH = 16
# An escape sequence may be truncated too.
_PARTIAL_ESCAPE = rf"[%&\\][^\s{ELLIPSIS}]{{0,11}}"


class RedactedStr(str):
    """A secret string whose repr and ``str()`` hide it, for local variables in tracebacks."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Create it; ``str()`` of another ``RedactedStr`` would return its repr."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return "<token>"

    __str__ = __repr__


@lru_cache(maxsize=64)
def _pattern(token: str) -> re.Pattern[str]:
    """Return the pattern of all credentials, including the given tokens, separated by spaces.

    Each alternative begins with a literal character, followed by its lookbehind: the regex engine
    can then skip other characters, which is about ten times faster.
    """
    tokens = [pattern for known in token.split() for pattern in _token_patterns(known)]
    # The token may contain characters that end the other alternatives.
    known = "".join(f"{pattern}|" for pattern in tokens)
    underscore, word = _spellings("_"), rf"(?:[A-Za-z0-9_]|{_spellings('_')})"
    # Do not match LOWCODEAPI_API_TOKEN, an environment variable, and xai-lowcode, this package.
    queries = [
        rf"{_at_word_start(a, '[A-Za-z_]')}(?i:pi){underscore}(?i:token){_spellings('=')}"
        rf"(?:{known}[^&\s\"'<>\\{ELLIPSIS}]|{underscore})++"
        for a in "aA"
    ]
    bearers = [rf"{b}(?i:earer)\s+(?:{known}[^\s\"',}}{ELLIPSIS}])++" for b in "bB"]
    keys = [
        # At least 6 characters, or any number before an ellipsis.
        rf"{start}(?={char}{{6}}|{char}*(?:{known}{char}{_BEFORE_ELLIPSIS}))(?:{known}{char})++"
        for start, char in (
            (rf"{_at_word_start('a')}t{underscore}", word),
            (rf"{_at_word_start('x')}ai-(?!lowcode\b)", "[A-Za-z0-9_-]"),
        )
    ]
    return re.compile("|".join([*tokens, *queries, *bearers, *keys]))


def _at_word_start(character: str, word: str = r"\w") -> str:
    """Return a pattern of a character at the start of a word or after a %XX escape."""
    escapes = [rf"(?<={escape}[0-9A-Fa-f][0-9A-Fa-f]{character})" for escape in ("%", "%25")]
    return rf"{character}(?:(?<!{word}{character})|{'|'.join(escapes)})"


def _is_alphanumeric(character: str) -> bool:
    """Return whether a character is never escaped."""
    return re.fullmatch(r"[A-Za-z0-9]", character) is not None


@lru_cache(maxsize=128)
def _spellings(character: str) -> str:
    """Return a pattern of a character and its escapes in URLs (once or twice), HTML and JSON.

    Error pages of some proxies escape every character that is not alphanumeric.
    """
    if _is_alphanumeric(character):
        return re.escape(character)
    encoded, code = character.encode("utf-8", "surrogatepass"), ord(character)
    quoted = "".join(f"%{byte:02x}" for byte in encoded)
    spellings = {
        *(character, quoted, quoted.replace("%", "%25"), html.escape(character)),
        *(f"&#{code};", f"&#{code:03};", f"&#x{code:x};", f"&#x{code:04x};"),
        *(f"\\{character}", json.dumps(character)[1:-1], f"\\u{code:04x}"),
    }
    return f"(?i:{'|'.join(map(re.escape, sorted(spellings, key=len, reverse=True)))})"


def _token_patterns(token: str) -> tuple[str, str]:
    characters = [_spellings(character) for character in token]
    return "".join(characters), _prefix_pattern(token, characters)


def _prefix_pattern(token: str, characters: list[str]) -> str:
    """Return a pattern of a prefix of the token, at least 4 characters long, before an ellipsis."""
    # An escaped character has up to 12 characters. Unlimited, the search would be quadratic.
    rest = (
        rf"(?:[^\s{ELLIPSIS}]{{0,{12 * len(characters)}}}+)"
        if len(characters) > _PREFIX_LENGTH
        else ""
    )
    for character, pattern in reversed(list(zip(token, characters, strict=True))[1:_PREFIX_LENGTH]):
        escape = "" if _is_alphanumeric(character) else f"|{_PARTIAL_ESCAPE}"
        rest = rf"(?:{pattern}{rest}{escape})?"
    if _is_alphanumeric(token[0]):
        return rf"{characters[0]}(?=[^{ELLIPSIS}]{{3}}){rest}{_BEFORE_ELLIPSIS}"
    return rf"(?=[^{ELLIPSIS}]{{4}})(?:{characters[0]}{rest}|{_PARTIAL_ESCAPE}){_BEFORE_ELLIPSIS}"


def redact_text(text: str, token: str = "") -> str:
    """Return the text without the given token and without everything that looks like one.

    Example:
        >>> redact_text("GET /xai/v1/models?api_token=at_r0123456789&limit=3")
        'GET /xai/v1/models?[redacted]&limit=3'
    """
    return _pattern(token).sub(REDACTED, text)


def redact(document: Any, token: str = "", *, depth: int = 0) -> Any:
    """Return a copy of a JSON document without tokens, credentials and echoed requests."""
    match document:
        case str():
            return redact_text(document, token)
        case dict() | list() | tuple() if depth > MAX_REDACTED_DEPTH:
            return REDACTED
        case dict():
            return {
                redact_text(key, token) if isinstance(key, str) else key: REDACTED
                if _is_secret(key)
                else redact(value, token, depth=depth + 1)
                for key, value in document.items()
            }
        case list() | tuple():
            return [redact(value, token, depth=depth + 1) for value in document]
        case _:
            return document


def excerpt(content: str | bytes | bytearray, token: str = "", *, limit: int = MAX_EXCERPT) -> str:
    """Return the beginning of a text, redacted; a truncated text ends with ``…``.

    Args:
        content: The text, or its bytes in UTF-8; invalid bytes are replaced.
        token: The token to redact.
        limit: Maximum number of characters to process, and to return before the ellipsis.

    Example:
        >>> excerpt(b"upstream failed: api_token=at_r0123456789", limit=36)
        'upstream failed: [redacted]…'
    """
    start = content[:limit]
    if not isinstance(start, str):
        # A truncated character is omitted, not replaced.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        start = decoder.decode(start, final=len(content) <= limit)
    text = redact_text(start if len(content) <= limit else f"{start}{ELLIPSIS}", token)
    # The replacement may be longer than the token.
    return text if len(text.removesuffix(ELLIPSIS)) <= limit else f"{text[:limit]}{ELLIPSIS}"


def bounded(document: Any, token: str = "") -> Any:
    """Return a redacted copy of a JSON document, truncated to the limits of this module.

    Values near the root are kept first. ``TRUNCATED`` is the last item of a truncated list or dict,
    and replaces omitted strings, lists and dicts; truncated strings end with ``…``.

    Example:
        >>> len(bounded([0] * 1_000_000)), bounded([0] * 1_000_000)[-1]
        (1000, '[truncated]')
    """
    return _BoundedCopier(token).copy(document)


class _BoundedCopier:
    """Copies a document level by level until a limit is reached."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._nodes = MAX_NODES
        self._characters = MAX_CHARACTERS
        self._queue: deque[tuple[Any, Any, int]] = deque()

    def copy(self, document: Any) -> Any:
        result = self._copy_value(document, 0)
        while self._queue:
            original, copied, depth = self._queue.popleft()
            if isinstance(copied, dict):
                self._fill_dict(original, copied, depth)
            else:
                self._fill_list(original, copied, depth)
        return result

    def _copy_value(self, value: Any, depth: int) -> Any:
        """Return the copy of a value; a list or dict is filled later."""
        self._nodes -= 1
        match value:
            case str() | bytes() | bytearray():
                return self._copy_text(value)
            case dict() | list() | tuple() if depth >= MAX_DEPTH:
                return TRUNCATED
            case dict() | list() | tuple():
                copied: Any = {} if isinstance(value, dict) else []
                self._queue.append((value, copied, depth + 1))
                return copied
            case int() if value.bit_length() > MAX_STRING:
                return TRUNCATED  # Python cannot print it
            case _:
                return value

    def _fill_dict(self, original: dict[Any, Any], copied: dict[Any, Any], depth: int) -> None:
        for key, value in original.items():
            if self._is_full():
                copied[TRUNCATED] = TRUNCATED
                return
            name = self._copy_text(key) if isinstance(key, str) else key
            copied[name] = REDACTED if _is_secret(key) else self._copy_value(value, depth)

    def _fill_list(self, original: Iterable[Any], copied: list[Any], depth: int) -> None:
        for value in original:
            if self._is_full():
                copied.append(TRUNCATED)
                return
            copied.append(self._copy_value(value, depth))

    def _is_full(self) -> bool:
        return self._nodes <= 0 or self._characters <= 0

    def _copy_text(self, text: str | bytes | bytearray) -> str:
        limit = min(MAX_STRING, self._characters)
        self._characters -= min(len(text), limit)
        return excerpt(text, self._token, limit=limit) if limit else TRUNCATED


def _is_secret(key: Any) -> bool:
    return (
        isinstance(key, str) and len(key) <= _MAX_SECRET_KEY_LENGTH and key.lower() in _SECRET_KEYS
    )


_FINGERPRINT = 8


class MaskedSecret(SecretStr):
    """A secret that is displayed as asterisks and a fingerprint.

    The fingerprint keeps entries of different keys in a framework's cache apart.
    """

    def _display(self) -> str:
        digest = sha256(self.get_secret_value().encode("utf-8", "replace")).hexdigest()
        return f"**********{digest[:_FINGERPRINT]}"


def mask_secrets(tool: Mapping[str, Any]) -> dict[str, Any]:
    """Return a server-side tool with masked ``authorization`` and values of ``headers``."""
    return {name: _mask(name, value) for name, value in tool.items()}


def _mask(name: str, value: Any) -> Any:
    match name, value:
        case "authorization", str():
            return MaskedSecret(value)
        case "headers", Mapping():
            return {key: MaskedSecret(v) if isinstance(v, str) else v for key, v in value.items()}
        case _:
            return value


def unmask_secrets(tool: Any) -> Any:
    """Return a tool with the secrets that ``mask_secrets`` masked."""
    if isinstance(tool, SecretStr):
        return tool.get_secret_value()
    if isinstance(tool, Mapping):
        return {name: unmask_secrets(value) for name, value in tool.items()}
    return tool
