"""Detect credentials among options that would become fields of the request body.

Frameworks put unknown keyword arguments into the request body, and so into logs and traces.
"""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from functools import lru_cache
from typing import Any

from pydantic import SecretBytes, SecretStr

from xai_lowcode._internal.short_repr import truncate
from xai_lowcode.errors import UsageError
from xai_lowcode.redaction import redact_text

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# Words that only occur in names of credentials and HTTP headers.
_WORDS = frozenset(
    {
        *("apikey", "apitoken", "accesstoken", "authtoken"),
        *("secret", "secrets", "password", "passwd", "passphrase", "credential", "credentials"),
        *("auth", "authorization", "authentication", "bearer", "jwt", "cookie", "cookies"),
        *("header", "headers"),
    }
)
# "token" may refer to text and "key" to a cache, next to one of these words.
_BEFORE_TEXT_TOKEN = frozenset(
    {
        *("stop", "eos", "bos", "pad", "unk", "sep", "mask", "special", "first", "last"),
        *("image", "text", "prompt", "reasoning", "thinking", "page", "pagination", "max", "min"),
    }
)
_AFTER_TEXT_TOKEN = frozenset(
    {
        *("id", "ids", "count", "counts", "limit", "limits", "budget", "length", "type", "types"),
        *("usage", "price", "bytes", "offset", "offsets", "bias", "logprobs", "healing"),
    }
)
_BEFORE_OTHER_KEY = frozenset(
    {"cache", "idempotency", "sort", "group", "partition", "routing", "primary", "foreign"}
)
# The plurals refer to credentials only after one of these.
_BEFORE_CREDENTIALS = frozenset({"api", "access", "auth", "refresh", "session", "private"})

# Last words of the names of options that contain options: extra_body, model_kwargs.
_CONTAINERS = frozenset({"kwargs", "body", "query", "params", "options", "config"})

NAME_OPTIONS = frozenset(
    {
        *("model", "model_name", "user", "safety_identifier", "api", "service_tier"),
        *("prompt_cache_key", "previous_response_id", "include", "guidelines"),
        *("reasoning", "reasoning_effort", "reasoning_summary"),
        *("encoding_format", "aspect_ratio", "resolution", "quality", "size"),
    }
)
"""Known options whose value is a name, an id or a choice: a token there is a mistake."""

# They contain the authorization of MCP servers, which the adapters mask in traces.
_TOOLS = frozenset({"tools", "server_tools"})

# A complete value. "at_least_once" is not a token, and "xai-lowcode" not a key.
_CREDENTIAL = re.compile(
    r"at_(?!(?:least|most)(?:_[a-z]+)*\Z)\S{6,}"
    r"|xai-(?!lowcode\b)[A-Za-z0-9_-]{6,}"
    r"|(?i:(?:authorization:\s*)?bearer)\s+\S+"
    r"|\w[\w+.-]*://[^\s/:@]*:[^\s/@]+@\S+"
)
# Part of a longer value, which may be a prompt: only unambiguous credentials.
_WITHIN = re.compile(
    r"\bat_(?=[A-Za-z_]*\d)[A-Za-z0-9_]{16,}"
    r"|\bxai-(?!lowcode\b)(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}"
    r"|\bapi_token=(?=[A-Za-z_]*\d)[A-Za-z0-9_]{16,}"
)

# The value of a known option. A short "xai-…" may be a name there.
_TOKEN = re.compile(
    r"(?i:(?:authorization:\s*)?bearer\s+)?at_(?!(?:least|most)(?:_[a-z]+)*\Z)\S{6,}"
)

_PROBLEM = "its value looks like a credential and would be sent"
_HINT = "Pass the token as api_token when the model is created."
_HEADERS = frozenset({"header", "headers"})
_NO_HEADERS = "The gateway forwards no headers to xAI."
_MAX_DEPTH = 8
_MAX_LENGTH = 8192
_NO_HINTS: Mapping[str, str] = {}


def credential_error(
    options: Mapping[str, Any],
    *,
    known: Container[str] = (),
    hints: Mapping[str, str] = _NO_HINTS,
) -> UsageError | None:
    """Return an error if an option is or contains a credential, else None.

    The error is returned, not raised, so that the caller can clear the options first: error
    reporters print the local variables of frames. It does not contain the value.

    An option is rejected if its name contains ``token``, ``key``, ``secret``, ``auth``,
    ``password``, ``header``, ``cookie`` or similar as a separate word, unless it refers to text
    tokens or cache keys; or if its value, also within dicts and lists, is a token (``at_…``), an
    xAI key (``xai-…``), ``Bearer …``, a URL with a password, or a ``SecretStr``.

    A known option is rejected only if it is one of ``NAME_OPTIONS`` and its value is a token.

    Args:
        options: Options that would become fields of the request body. The options in dicts such as
            ``extra_body`` are checked one by one. Tools are skipped, since the authorization of an
            MCP server belongs there.
        known: Names of options to skip, except for tokens in ``NAME_OPTIONS``.
        hints: Messages for certain options, by name.

    Example:
        >>> error = credential_error({"access_token": "at_r0123456789abcdef"})
        >>> error.message
        'access_token: an option of this name would be sent to xAI in the request body.'
        >>> error.hint
        'Pass the token as api_token when the model is created.'
        >>> credential_error({"max_tokens": 5, "prompt_cache_key": "docs", "stop_token_ids": [1]})
    """
    if (error := token_error(options, known=known)) is not None:
        return error
    for name, value in _iterate_options(options, known):
        if is_credential_name(name) or _looks_like_credential(name):
            return _build_error(name, "an option of this name would be sent", hints)
        if _contains_credential(value, _looks_like_credential):
            return _build_error(name, _PROBLEM, hints)
    return None


def token_error(
    options: Mapping[str, Any], *, known: Container[str] = NAME_OPTIONS
) -> UsageError | None:
    """Return an error if a known option of ``NAME_OPTIONS`` is or contains a token, else None.

    Args:
        options: Options of a request; others than those of ``NAME_OPTIONS`` are skipped.
        known: Names of known options.

    Example:
        >>> token_error({"model": "at_r0123456789abcdef"}).field
        'model'
        >>> token_error({"model": "grok-4.7", "stop": "at_r0123456789abcdef"})
    """
    for name, value in options.items():
        if name in NAME_OPTIONS and name in known and contains_token(value):
            return _build_error(name, _PROBLEM, _NO_HINTS)
    return None


def contains_token(value: Any) -> bool:
    """Return whether a value is, or contains, a token (``at_…``), an xAI key or a ``SecretStr``.

    Example:
        >>> contains_token("at_r0123456789abcdef"), contains_token("xai-docs")
        (True, False)
    """
    if isinstance(value, str):
        return _looks_like_token(value)
    if value is None or (isinstance(value, tuple) and not value):
        return False
    return _contains_credential(value, _looks_like_token)


@lru_cache(maxsize=1024)
def is_credential_name(name: str) -> bool:
    """Return whether an option of this name is a credential or HTTP headers.

    Underscores, hyphens and capital letters separate words.

    Example:
        >>> [is_credential_name(name) for name in ("apiKey", "x-api-key", "extra_headers")]
        [True, True, True]
        >>> [is_credential_name(name) for name in ("max_tokens", "keywords", "author")]
        [False, False, False]
    """
    words = _split_words(name)
    return any(map(_is_credential_word, ["", *words], words, [*words[1:], ""]))


def _is_credential_word(before: str, word: str, after: str) -> bool:
    match word:
        case "token":
            return before not in _BEFORE_TEXT_TOKEN and after not in _AFTER_TEXT_TOKEN
        case "key":
            return before not in _BEFORE_OTHER_KEY
        case "tokens" | "keys":
            return before in _BEFORE_CREDENTIALS
        case _:
            return word in _WORDS


def _split_words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _iterate_options(
    options: Mapping[str, Any], known: Container[str] = (), depth: int = 0
) -> Iterator[tuple[str, Any]]:
    """Yield the options, and those within ``extra_body`` and similar options."""
    for key, value in options.items():
        if key in known or key in _TOOLS:
            continue
        name = str(key)
        is_container = bool(_CONTAINERS.intersection(_split_words(name)[-1:]))
        if is_container and isinstance(value, Mapping) and depth < _MAX_DEPTH:
            yield from _iterate_options(value, depth=depth + 1)
            yield name, None
        else:
            yield name, value


def _contains_credential(value: Any, is_credential: Callable[[str], bool]) -> bool:
    stack, seen = [value], set()
    while stack:
        item = stack.pop()
        match item:
            case SecretStr() | SecretBytes():
                return True
            case str():
                if is_credential(item):
                    return True
            case bytes() | bytearray():
                stack.append(item.decode("latin-1"))
            case Mapping() | list() | tuple() | set() | frozenset() if id(item) not in seen:
                # A container may contain itself.
                seen.add(id(item))
                stack += item
                if isinstance(item, Mapping):
                    stack += item.values()
    return False


def _looks_like_credential(text: str) -> bool:
    text = text.strip()
    if len(text) <= _MAX_LENGTH and _CREDENTIAL.fullmatch(text):
        return True
    return ("at_" in text or "xai-" in text or "api_token" in text) and bool(_WITHIN.search(text))


def _looks_like_token(text: str) -> bool:
    if "at_" not in text and "xai-" not in text:
        return False
    stripped = text.strip()
    if len(stripped) <= _MAX_LENGTH and _TOKEN.fullmatch(stripped):
        return True
    return bool(_WITHIN.search(text))


def _build_error(name: str, problem: str, hints: Mapping[str, str]) -> UsageError:
    if name in hints:
        return UsageError(f"{name}: {hints[name]}", field=name)
    hint = _HINT if _HEADERS.isdisjoint(_split_words(name)) else f"{_NO_HEADERS} {_HINT}"
    # The name itself may be a credential.
    field = "extra" if _looks_like_credential(name) else redact_text(truncate(name))
    return UsageError(f"{field}: {problem} to xAI in the request body.", field=field, hint=hint)
