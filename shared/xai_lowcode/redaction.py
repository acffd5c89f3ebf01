"""Removes tokens from texts and JSON documents, and bounds what is kept of either.

Everything that leaves the package as an error, a log line or a record passes through here. The
gateway's own responses can quote the token (its 401 echoes the whole query), so responses are
untrusted too, in their content and in their size: ``excerpt`` and ``bounded`` look at a constant
amount of what they are given, ``redact_text`` and ``redact`` at all of it.

A cut may fall inside a token. Every cut is therefore followed by ``ELLIPSIS``, and the beginning of a
token before that mark is removed like a whole one, also later, by a caller who knows the token.
"""

import codecs
import html
import json
import re
from collections import deque
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple, Self
from urllib.parse import quote

from pydantic import SecretStr

REDACTED = "[redacted]"
ELLIPSIS = "…"
"""What stands where a text was cut."""

TRUNCATED = "[truncated]"
"""The last item of a list, or the last key of a dict, that was cut; and what was left out whole."""

MAX_REDACTED_DEPTH = 100
"""How deep ``redact`` looks into a document; what is below is redacted as a whole."""

MAX_EXCERPT = 50_000
"""Characters of a text that are looked at."""

MAX_STRING = 10_000
"""Characters of one string in a bounded document."""

MAX_CHARACTERS = 20_000
"""Characters of all strings in a bounded document."""

MAX_NODES = 1_000
"""Values in a bounded document."""

MAX_DEPTH = 50
"""Lists and dicts inside one another in a bounded document."""

# Members that hold credentials or echo the request, whatever they contain.
_SECRET_MEMBERS = frozenset({"api_token", "authorization", "cookie", "set-cookie", "logging"})
_LONGEST_NAME = max(map(len, _SECRET_MEMBERS))

# Not the ellipsis with which others mask a key (xai-0…0).
_AT_CUT = rf"(?={ELLIPSIS}(?!\w))"
# So many characters of the token are compared before a cut; what agrees in all of them is a token.
_COMPARED = 16
# An escape sequence may be cut too.
_HALF_ESCAPE = rf"[%&\\][^\s{ELLIPSIS}]{{0,11}}"


class RedactedStr(str):
    """The token in use: text to whoever needs it, blanked where a frame's variables are shown."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        """Takes the text itself: of another ``RedactedStr``, ``str`` would give what it prints."""
        return super().__new__(cls, str.__str__(text))

    def __repr__(self) -> str:
        return "<token>"

    __str__ = __repr__


@lru_cache(maxsize=64)
def _pattern(token: str) -> re.Pattern[str]:
    """What is removed from texts.

    Every alternative begins with a literal character, and what must not precede it is checked after
    it: so the regex engine skips all other characters, which makes it about ten times faster.
    """
    signs = [_spellings(sign) for sign in token]
    ours = ["".join(signs), _prefix_pattern(token, signs)] if token else []
    # The token in use may contain what ends the other forms.
    known = "".join(f"{form}|" for form in ours)
    # LOWCODEAPI_API_TOKEN is the name of a variable, and xai-lowcode that of this package.
    queries = [
        rf"{_at_word_start(a, '[A-Za-z_]')}(?i:pi_token)(?:=|%(?:25)?3[dD])"
        rf"(?:{known}[^&\s\"'<>\\{ELLIPSIS}])++"
        for a in "aA"
    ]
    bearers = [rf"{b}(?i:earer)\s+(?:{known}[^\s\"',}}{ELLIPSIS}])++" for b in "bB"]
    keys = [
        # At least 6 characters, or as many as there are before a cut.
        rf"{begin}(?={sign}{{6}}|{sign}*(?:{known}{sign}{_AT_CUT}))(?:{known}{sign})++"
        for begin, sign in (
            (rf"{_at_word_start('a')}t_", "[A-Za-z0-9_]"),
            (rf"{_at_word_start('x')}ai-(?!lowcode\b)", "[A-Za-z0-9_-]"),
        )
    ]
    return re.compile("|".join([*ours, *queries, *bearers, *keys]))


def _at_word_start(sign: str, inside: str = r"\w") -> str:
    """A pattern of a character that does not follow one of a word, unless that is a %XX."""
    escapes = [rf"(?<={escape}[0-9A-Fa-f][0-9A-Fa-f]{sign})" for escape in ("%", "%25")]
    return rf"{sign}(?:(?<!{inside}{sign})|{'|'.join(escapes)})"


def _needs_no_escape(sign: str) -> bool:
    """Whether a character is written in one way only."""
    return re.fullmatch(r"[A-Za-z0-9_.~-]", sign) is not None


def _spellings(sign: str) -> str:
    """A pattern of one character: itself, quoted for URLs once or twice, in HTML, in JSON."""
    if _needs_no_escape(sign):
        return re.escape(sign)
    quoted = quote(sign, safe="", errors="surrogatepass")
    spellings = {
        *(sign, quoted, quoted.replace("%", "%25")),
        *(html.escape(sign), f"\\{sign}", json.dumps(sign)[1:-1], f"\\u{ord(sign):04x}"),
    }
    return f"(?i:{'|'.join(map(re.escape, sorted(spellings, key=len, reverse=True)))})"


def _prefix_pattern(token: str, signs: list[str]) -> str:
    """A pattern of a beginning of the token, at least 4 characters long, before a cut."""
    # No character is written with more than 12; without a limit, the search would be quadratic.
    rest = rf"(?:[^\s{ELLIPSIS}]{{0,{12 * len(signs)}}}+)" if len(signs) > _COMPARED else ""
    for sign, spelled in reversed(list(zip(token, signs, strict=True))[1:_COMPARED]):
        escape = "" if _needs_no_escape(sign) else f"|{_HALF_ESCAPE}"
        rest = rf"(?:{spelled}{rest}{escape})?"
    if _needs_no_escape(token[0]):
        return rf"{signs[0]}(?=[^{ELLIPSIS}]{{3}}){rest}{_AT_CUT}"
    return rf"(?=[^{ELLIPSIS}]{{4}})(?:{signs[0]}{rest}|{_HALF_ESCAPE}){_AT_CUT}"


def redact_text(text: str, token: str = "") -> str:
    """Returns the text without the given token and without all that looks like one.

    Example:
        >>> redact_text("GET /xai/v1/models?api_token=at_r0123456789&limit=3")
        'GET /xai/v1/models?[redacted]&limit=3'
    """
    return _pattern(token).sub(REDACTED, text)


def redact(document: Any, token: str = "", *, depth: int = 0) -> Any:
    """Returns a copy of a JSON document without tokens, credentials and echoed requests."""
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
    """Returns the beginning of a text, redacted; a longer text ends with ``…`` there.

    Args:
        content: The text, or its bytes in UTF-8; bytes that are not UTF-8 are replaced.
        token: The token in use.
        limit: How many characters are looked at, and returned before the ellipsis.

    Example:
        >>> excerpt(b"upstream failed: api_token=at_r0123456789", limit=36)
        'upstream failed: [redacted]…'
    """
    begins = content[:limit]
    if not isinstance(begins, str):
        # A character that was cut is left out, not replaced.
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        begins = decoder.decode(begins, final=len(content) <= limit)
    shown = redact_text(begins if len(content) <= limit else f"{begins}{ELLIPSIS}", token)
    # What stands for a token may be longer than the token.
    return shown if len(shown.removesuffix(ELLIPSIS)) <= limit else f"{shown[:limit]}{ELLIPSIS}"


def bounded(document: Any, token: str = "") -> Any:
    """Returns a redacted copy of as much of a JSON document as fits the bounds of this module.

    What is nearest to the root is kept first. ``TRUNCATED`` is the last member of a list or dict of
    which something was left out, and stands for strings, lists and dicts that were left out whole;
    strings that were cut end with ``…``.

    Example:
        >>> len(bounded([0] * 1_000_000)), bounded([0] * 1_000_000)[-1]
        (1000, '[truncated]')
    """
    copier = _Copier(token)
    copy = copier.taken(document)
    copier.run()
    return copy


class _Waiting(NamedTuple):
    """A list or dict that is still to be copied.

    Attributes:
        original: It.
        copy: Its copy, empty so far.
        depth: How many others it is in.
    """

    original: Any
    copy: Any
    depth: int


class _Copier:
    """Copies a document level by level until there is no room left."""

    def __init__(self, token: str) -> None:
        self._token = token
        self._nodes = MAX_NODES
        self._characters = MAX_CHARACTERS
        self._waiting: deque[_Waiting] = deque()

    def taken(self, value: Any, depth: int = 0) -> Any:
        """The copy of a value; that of a list or dict is filled by ``run``."""
        self._nodes -= 1
        match value:
            case str() | bytes() | bytearray():
                return self._text(value)
            case dict() | list() | tuple() if depth >= MAX_DEPTH:
                return TRUNCATED
            case dict() | list() | tuple():
                copy: Any = {} if isinstance(value, dict) else []
                self._waiting.append(_Waiting(value, copy, depth))
                return copy
            case int() if value.bit_length() > MAX_STRING:
                return TRUNCATED  # Python refuses to print it
            case _:
                return value

    def run(self) -> None:
        """Fills the copies."""
        while self._waiting:
            original, copy, depth = self._waiting.popleft()
            if isinstance(copy, dict):
                self._fill_dict(original, copy, depth + 1)
            else:
                self._fill_list(original, copy, depth + 1)

    def _fill_dict(self, original: dict[Any, Any], copy: dict[Any, Any], depth: int) -> None:
        for key, value in original.items():
            if self._is_full():
                copy[TRUNCATED] = TRUNCATED
                return
            name = self._text(key) if isinstance(key, str) else key
            copy[name] = REDACTED if _is_secret(key) else self.taken(value, depth)

    def _fill_list(self, original: Iterable[Any], copy: list[Any], depth: int) -> None:
        for value in original:
            if self._is_full():
                copy.append(TRUNCATED)
                return
            copy.append(self.taken(value, depth))

    def _is_full(self) -> bool:
        return self._nodes <= 0 or self._characters <= 0

    def _text(self, text: str | bytes | bytearray) -> str:
        limit = min(MAX_STRING, self._characters)
        self._characters -= min(len(text), limit)
        return excerpt(text, self._token, limit=limit) if limit else TRUNCATED


def _is_secret(key: Any) -> bool:
    return isinstance(key, str) and len(key) <= _LONGEST_NAME and key.lower() in _SECRET_MEMBERS


_FINGERPRINT = 8


class MaskedSecret(SecretStr):
    """A key that shows as stars and a fingerprint.

    With the stars alone, people with different keys would share an answer in a framework's cache.
    """

    def _display(self) -> str:
        digest = sha256(self.get_secret_value().encode("utf-8", "replace")).hexdigest()
        return f"**********{digest[:_FINGERPRINT]}"


def mask_secrets(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that xAI runs, with its ``authorization`` and the values of its ``headers`` hidden."""
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
    """The same tool with what was hidden, to be sent."""
    if isinstance(tool, SecretStr):
        return tool.get_secret_value()
    if isinstance(tool, Mapping):
        return {name: unmask_secrets(value) for name, value in tool.items()}
    return tool
