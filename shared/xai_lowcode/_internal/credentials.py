"""Credentials under a wrong name, which would go to xAI in the body of a request.

Frameworks put keyword arguments that they do not know into the request body, and from there into
prints, traces and dumps. A rule, and no list of names, says which of them are refused.
"""

import re
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import SecretBytes, SecretStr

from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.errors import UsageError
from xai_lowcode.redaction import redact_text

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# A name with one of these words is that of a credential or of HTTP headers.
_WORDS = frozenset(
    {
        *("apikey", "apitoken", "accesstoken", "authtoken"),
        *("secret", "secrets", "password", "passwd", "passphrase", "credential", "credentials"),
        *("auth", "authorization", "authentication", "bearer", "jwt", "cookie", "cookies"),
        *("header", "headers"),
    }
)
# "token" is a piece of text too, and "key" a name: not with one of these words before or behind.
_TEXT_BEFORE_TOKEN = frozenset(
    {
        *("stop", "eos", "bos", "pad", "unk", "sep", "mask", "special", "first", "last"),
        *("image", "text", "prompt", "reasoning", "thinking", "page", "pagination", "max", "min"),
    }
)
_TEXT_AFTER_TOKEN = frozenset(
    {
        *("id", "ids", "count", "counts", "limit", "limits", "budget", "length", "type", "types"),
        *("usage", "price", "bytes", "offset", "offsets", "bias", "logprobs", "healing"),
    }
)
_NAME_BEFORE_KEY = frozenset(
    {"cache", "idempotency", "sort", "group", "partition", "routing", "primary", "foreign"}
)
# Their plurals are lists of credentials only behind one of these.
_CREDENTIAL_BEFORE_PLURAL = frozenset({"api", "access", "auth", "refresh", "session", "private"})

# Options that hold options, by the last word of their name: extra_body, model_kwargs.
_HOLDERS = frozenset({"kwargs", "body", "query", "params", "options", "config"})

# The authorization and the headers of an MCP server are there; adapters hide them from traces.
_TOOLS = frozenset({"tools", "server_tools"})

# The whole of a value. "at_least_once" is none, and "xai-lowcode" the name of this package.
_CREDENTIAL = re.compile(
    r"at_(?!(?:least|most)(?:_[a-z]+)*\Z)\S{6,}"
    r"|xai-(?!lowcode\b)[A-Za-z0-9_-]{6,}"
    r"|(?i:(?:authorization:\s*)?bearer)\s+\S+"
    r"|\w[\w+.-]*://[^\s/:@]*:[^\s/@]+@\S+"
)
# A part of a longer one, which may be a prompt, so only what can be nothing else.
_WITHIN = re.compile(
    r"\bat_(?=[A-Za-z_]*\d)[A-Za-z0-9_]{16,}"
    r"|\bxai-(?!lowcode\b)(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}"
    r"|\bapi_token=(?=[A-Za-z_]*\d)[A-Za-z0-9_]{16,}"
)

_HINT = "Give the token as api_token when the model is created."
_HEADERS = frozenset({"header", "headers"})
_NO_HEADERS = "The gateway passes no headers on to xAI."
_DEEPEST_HOLDER = 8
_LONGEST_CREDENTIAL = 8192
_NO_HINTS: Mapping[str, str] = {}


def credential_error(
    options: Mapping[str, Any],
    *,
    known: Container[str] = (),
    hints: Mapping[str, str] = _NO_HINTS,
) -> UsageError | None:
    """Return the error to raise if an option is, or holds, a credential; None if none does.

    It is returned, not raised, so that the caller can forget the options first: reporters of errors
    show the variables of the frames that an error went through. The value is in no part of it.

    Refused is a name that contains, as a word of its own, ``token``, ``key``, ``secret``, ``auth``,
    ``password``, ``header``, ``cookie`` or the like, unless it is about tokens of text or keys of a
    cache; and a value that looks like a token (``at_…``), a key of xAI (``xai-…``), ``Bearer …``, a
    URL with a password, or is a ``SecretStr``, also within dicts and lists.

    Args:
        options: Options that would become fields of the request body. In those that hold options
            themselves, such as ``extra_body``, each is judged on its own. Tools are left out: the
            authorization of an MCP server belongs there.
        known: Names that are not judged, with their values.
        hints: What to say of an option instead, by its name.

    Example:
        >>> error = credential_error({"access_token": "at_r0123456789abcdef"})
        >>> error.message
        'access_token: an option of this name would be sent to xAI in the request body.'
        >>> error.hint
        'Give the token as api_token when the model is created.'
        >>> credential_error({"max_tokens": 5, "prompt_cache_key": "docs", "stop_token_ids": [1]})
    """
    for name, value in _find_in_value(options, known):
        if is_credential_name(name) or _looks_like_credential(name):
            return _build_error(name, "an option of this name would be sent", hints)
        if _holds_credential(value):
            return _build_error(name, "its value looks like a credential and would be sent", hints)
    return None


@lru_cache(maxsize=1024)
def is_credential_name(name: str) -> bool:
    """Whether an option of this name holds a credential or HTTP headers.

    Words end at underscores, hyphens and capital letters.

    Example:
        >>> [is_credential_name(name) for name in ("apiKey", "x-api-key", "extra_headers")]
        [True, True, True]
        >>> [is_credential_name(name) for name in ("max_tokens", "keywords", "author")]
        [False, False, False]
    """
    words = _split_words(name)
    neighbours = zip(["", *words], words, [*words[1:], ""], strict=False)
    return any(_is_credential(*three) for three in neighbours)


def _is_credential(before: str, word: str, after: str) -> bool:
    match word:
        case "token":
            return before not in _TEXT_BEFORE_TOKEN and after not in _TEXT_AFTER_TOKEN
        case "key":
            return before not in _NAME_BEFORE_KEY
        case "tokens" | "keys":
            return before in _CREDENTIAL_BEFORE_PLURAL
        case _:
            return word in _WORDS


def _split_words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _find_in_value(
    options: Mapping[str, Any], known: Container[str] = (), depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """The options, and instead of those that hold options these."""
    for name, value in options.items():
        if name in known or name in _TOOLS:
            continue
        text = str(name)
        holds = isinstance(value, Mapping) and _HOLDERS.intersection(_split_words(text)[-1:])
        if holds and depth < _DEEPEST_HOLDER:
            yield from _find_in_value(value, depth=depth + 1)
            value = None  # noqa: PLW2901 - what it holds was judged
        yield text, value


def _holds_credential(value: Any) -> bool:
    waiting, seen = [value], set()
    while waiting:
        one = waiting.pop()
        match one:
            case SecretStr() | SecretBytes():
                return True
            case str():
                if _looks_like_credential(one):
                    return True
            case bytes() | bytearray():
                waiting.append(one.decode("latin-1"))
            case Mapping() | list() | tuple() | set() | frozenset() if id(one) not in seen:
                # A container may contain itself.
                seen.add(id(one))
                waiting += one
                if isinstance(one, Mapping):
                    waiting += one.values()
    return False


def _looks_like_credential(text: str) -> bool:
    text = text.strip()
    if len(text) <= _LONGEST_CREDENTIAL and _CREDENTIAL.fullmatch(text):
        return True
    return ("at_" in text or "xai-" in text or "api_token" in text) and bool(_WITHIN.search(text))


def _build_error(name: str, fault: str, hints: Mapping[str, str]) -> UsageError:
    if name in hints:
        return UsageError(f"{name}: {hints[name]}", field=name)
    hint = _HINT if _HEADERS.isdisjoint(_split_words(name)) else f"{_NO_HEADERS} {_HINT}"
    # The credential may have been given in the place of the name.
    shown = "extra" if _looks_like_credential(name) else redact_text(truncate(name))
    return UsageError(
        f"{shown}: {fault} to xAI in the request body.",
        field=shown,
        hint=hint,
    )
