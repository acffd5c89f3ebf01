"""Which answer is an error, whose it is, and which class of the error tree it becomes.

The only reader of error bodies: of xAI's four shapes and the gateway's own, inside their envelopes,
inside a 200, in HTML from a proxy. What a refusal means stands in ``refusals``.
"""

import html
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from xai_lowcode.envelope import text_headers
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    InternalServerError,
    Maker,
    UnreadableAnswerError,
)
from xai_lowcode.redaction import bounded, excerpt
from xai_lowcode.refusals import BY_CODE, BY_STATUS, RULES, Rule

LONGEST_TEXT = 500
LONGEST_WAIT = 365 * 24 * 3600
"""Seconds; a ``Retry-After`` beyond it is an overflow, or a date given as a number."""

_LONGEST_LOCATION = 300
# The headers that an error keeps something of.
_KNOWN_HEADERS = ("x-request-id", "retry-after-ms", "retry-after", "date")

# Members below which an envelope holds xAI's body.
_INNER = ("result", "data")
_INNER_KEYS = frozenset(_INNER)
SUCCESSES = range(200, 300)
_REDIRECTS = range(300, 400)
_NOT_SERVED = range(300, 500)
_FAILURES = range(400, 600)

# Fields in which proxies and frameworks repeat an HTTP status inside a body.
_STATUS_FIELDS = ("statusCode", "status_code", "status", "code")

_HEADERS = frozenset({"headers", "response_headers"})
# Of a body with more members than so many, only these are read.
_MOST_MEMBERS = 1_000
_TELLING = _HEADERS | {
    *("error", "errors", "message", "code", "type", "object", "detail", "title", "provider"),
    *_STATUS_FIELDS,
    *_INNER,
}

# Members that only a success of xAI has; an `error` beside them is null or part of the record.
_SUCCESS_MEMBERS = frozenset({"choices", "object", "output", "content"})

# What is not closed ends with the text, so that no page makes the search begin again and again.
_TAG = re.compile(
    r"<(script|style|head)\b.*?(?:</\1>|(?=<body\b)|\Z)|<[^<>]+>", re.IGNORECASE | re.DOTALL
)
_LOOKS_LIKE_HTML = re.compile(r"\s*<(!doctype|html|head|body|h1|title)\b", re.IGNORECASE)


class Reading(NamedTuple):
    """The facts of an error body, wherever they stood in it."""

    text: str
    code: str | None
    maker: Maker
    headers: Mapping[str, str]


def classify(
    status: int, document: Any, headers: Mapping[str, str], token: str = ""
) -> APIStatusError | None:
    """Returns the error an answer stands for, or None for a success.

    Args:
        status: HTTP status.
        document: Decoded JSON, or the text of anything else.
        headers: HTTP headers of the answer, lower-case names.
        token: The token in use, blanked wherever the answer quotes it.
    """
    if status in SUCCESSES and not is_error_body(document):
        return None
    return _error_of(status, document, headers, token)


def _error_of(status: int, document: Any, headers: Mapping[str, str], token: str) -> APIStatusError:
    reading = read_error(status, _to_read(document))
    text = excerpt(reading.text, token) or f"The answer has status {status} and no text."
    if status in _REDIRECTS and (location := headers.get("location")):
        where = excerpt(location, token, limit=_LONGEST_LOCATION)
        text = f"The server redirects to {where} (redirects are not followed: check base_url)"
    rule = next((rule for rule in RULES if _applies(rule, status, reading)), None)
    known = _known_headers({**headers, **reading.headers}, token)
    return (rule.error if rule else _by_status_or_code(status, reading))(
        text,
        hint=rule.hint if rule else None,
        status_code=status,
        code=reading.code and excerpt(reading.code, token, limit=LONGEST_TEXT),
        maker=reading.maker,
        request_id=known.get("x-request-id"),
        retry_after=retry_after(known),
        body=bounded(document, token),
    )


def _to_read(document: Any) -> Any:
    """A body as ``read_error`` is given it: nothing is printed whole there, whatever its size.

    Texts are cut while they are read, and what a cut leaves of a token goes when they are redacted.
    """
    match document:
        case str():
            # A page is read further than it is kept: its text may come after a long head.
            return readable(document)
        case dict():
            wide = len(document) > _MOST_MEMBERS
            names = _TELLING & document.keys() if wide else document.keys()
            return {
                name: bounded(document[name]) if name in _HEADERS else document[name]
                for name in names
            }
        case _:
            return bounded(document)


def failure_in(body: Mapping[str, Any], told: Any) -> APIStatusError:
    """The error that an answer tells of in a member of its own.

    Args:
        body: The answer, which the error keeps.
        told: What stands in that member: an object, a text, or nothing.
    """
    document = {"error": told or "The answer failed without a reason."}
    error = _error_of(200, document, {}, "")
    error.body = bounded(dict(body))
    return error


def reported_error(document: Any, token: str = "") -> APIStatusError:
    """The error of a stream event that is known to report one, whatever its data looks like.

    Args:
        document: The data: decoded JSON, or the text of anything else.
        token: The token in use, blanked wherever the data quotes it.
    """
    return _error_of(200, document, {}, token)


def is_error_body(document: Any) -> bool:
    """Whether a body reports an error although its status says success."""
    return isinstance(document, dict) and (
        _reports_error(document)
        or ("choices" not in document and any(_reports_error(document.get(key)) for key in _INNER))
    )


def _reports_error(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    # An event of a stream, or what vLLM sends: neither need have an `error` field.
    if body.get("type") == "error" or body.get("object") == "error":
        return True
    if _SUCCESS_MEMBERS & body.keys():
        return False
    errors = body.get("errors")
    return (
        bool(body.get("error"))
        or (isinstance(errors, list) and bool(errors))
        or _status_in(body) is not None
        or _is_error_object(body)
    )


def _is_error_object(body: Mapping[str, Any]) -> bool:
    """Whether a body is what OpenAI and Anthropic have below ``error``, without the ``error``."""
    if not isinstance(body.get("message"), str) or not _INNER_KEYS.isdisjoint(body):
        return False
    return bool(body.get("code")) if "type" not in body else _is_error_type(body["type"])


def _is_error_type(kind: Any) -> bool:
    # A dotted type is that of an event, and an event that is new may have any field.
    return isinstance(kind, str) and kind.endswith("_error") and "." not in kind


def _status_in(body: Any) -> int | None:
    """An HTTP status of a failure that a body repeats as a number."""
    found = (_member(body, field) for field in _STATUS_FIELDS)
    return next((code for code in found if isinstance(code, int) and code in _FAILURES), None)


def read_error(status: int, document: Any) -> Reading:
    """Finds text, code, maker and provider headers in any of the known error shapes."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return Reading(readable(str(document or "")), None, "unknown", {})
    outer: Mapping[str, Any] = document
    if not document.get("error"):
        inner = next((document[key] for key in _INNER if _reports_error(document.get(key))), None)
        # An `error` below `data` is read where it is, since its form tells who made it.
        told_by_form = inner is not document.get("result") and isinstance(
            _member(inner, "error"), str | dict
        )
        outer = outer if inner is None or told_by_form else inner
    code = _first_code(outer)
    if code is None and status in SUCCESSES:
        holders = (outer, outer.get("error"), _member(outer.get("data"), "error"))
        number = next(filter(None, map(_status_in, holders)), None)
        code = None if number is None else str(number)
    return Reading(
        _first_text(outer),
        code,
        _maker(status, outer),
        text_headers(document.get("headers") or document.get("response_headers")),
    )


def not_readable(text: str, headers: Mapping[str, str], token: str = "") -> UnreadableAnswerError:
    """The error for a success whose body is not JSON."""
    said = readable(text, token)
    return UnreadableAnswerError(
        f"A successful answer is not JSON: {said}" if said else "A successful answer is empty.",
        hint="Something between here and xAI answered in its place; check base_url and proxies.",
        maker="unknown",
        request_id=headers.get("x-request-id"),
        body=said,
    ).without(token)


def readable(text: str, token: str = "") -> str:
    """A text for people: tags removed if it is HTML, white space folded, redacted, cut short."""
    text = excerpt(text, token)
    if _LOOKS_LIKE_HTML.match(text):
        text = html.unescape(_TAG.sub(" ", text))
    return excerpt(" ".join(text.split()), token, limit=LONGEST_TEXT)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the headers ask; None without a usable figure."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except KeyError:
            continue
        except ValueError:
            seconds = _until(headers[name], headers.get("date", ""))
        if 0 <= seconds <= LONGEST_WAIT:
            return seconds
    return None


def _until(moment: str, now: str) -> float:
    """Seconds between two HTTP dates; the answer's own date spares us a clock."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    # A date that is none, lacks parts, or is out of range: the parser has an exception for each.
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return float("inf")


def _known_headers(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {
        name: excerpt(headers[name], token, limit=LONGEST_TEXT)
        for name in _KNOWN_HEADERS
        if name in headers
    }


def _applies(rule: Rule, status: int, reading: Reading) -> bool:
    return (
        status in rule.statuses
        and rule.maker in (None, reading.maker)
        and re.search(rule.text, reading.text, re.IGNORECASE) is not None
    )


def _by_status_or_code(status: int, reading: Reading) -> type[APIStatusError]:
    if status in SUCCESSES and re.fullmatch("[45][0-9]{2}", reading.code or ""):
        status = int(reading.code or 0)
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status in _NOT_SERVED:
        return BadRequestError
    for words, error in BY_CODE if status in SUCCESSES else ():
        if re.search(words, reading.code or "", re.IGNORECASE):
            return error
    return InternalServerError


def _first_text(document: Mapping[str, Any]) -> str:
    error, data, first = document.get("error"), document.get("data"), _first_of_several(document)
    places = (
        _member(_member(error, "error"), "message"),
        _member(error, "error"),
        _member(error, "message"),
        error,
        _member(_member(data, "error"), "message"),
        _member(data, "error"),
        document.get("message"),
        _member(first, "message"),
        _member(first, "msg"),
        _member(first, "detail"),
        first,
        # Problem details of RFC 9457, and what FastAPI sends.
        document.get("detail"),
        document.get("title"),
    )
    return next((readable(text) for text in places if isinstance(text, str) and text.strip()), "")


def _first_of_several(document: Mapping[str, Any]) -> Any:
    """The first entry where a body lists its errors."""
    lists = (document.get(field) for field in ("errors", "error", "message", "detail"))
    entries = next((found for found in lists if isinstance(found, list) and found), None)
    return entries[0] if entries else None


def _first_code(document: Mapping[str, Any]) -> str | None:
    error, data = document.get("error"), document.get("data")
    places = (
        _member(_member(error, "error"), "code"),
        _member(error, "code"),
        _member(_member(data, "error"), "code"),
        _member(data, "code"),
        document.get("code"),
        _member(_first_of_several(document), "code"),
        # The messages form has a type in the place of a code.
        _member(_member(error, "error"), "type"),
        _member(error, "type"),
        document.get("type") if _is_error_type(document.get("type")) else None,
    )
    return next((code for code in places if isinstance(code, str) and code), None)


def _maker(status: int, document: Mapping[str, Any]) -> Maker:
    error = document.get("error")
    if "headers" in document and error is not None:
        return "provider"
    if isinstance(inner := _member(document.get("data"), "error"), str | dict):
        # A text is xAI's own form, an object the documented one, which anybody may have made.
        return "provider" if isinstance(inner, str) else "unknown"
    if "provider" not in document and error is not None:
        return "provider"
    return "provider" if status in SUCCESSES else "gateway"


def _member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
