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
from xai_lowcode.redaction import redact, redact_text
from xai_lowcode.refusals import BY_CODE, BY_STATUS, RULES, Rule

LONGEST_TEXT = 500

# Members below which an envelope holds xAI's body.
_INNER = ("result", "data")
SUCCESSES = range(200, 300)
_NOT_SERVED = range(300, 500)

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
    # Before anything is cut short: half a token would not be found any more.
    document = redact(document, token)
    reading = read_error(status, document)
    text = redact_text(reading.text, token) or f"The answer has status {status} and no text."
    rule = next((rule for rule in RULES if _applies(rule, status, reading)), None)
    known = redact({**headers, **reading.headers}, token)
    return (rule.error if rule else _by_status_or_code(status, reading))(
        text,
        hint=rule.hint if rule else None,
        status_code=status,
        code=reading.code,
        maker=reading.maker,
        request_id=known.get("x-request-id"),
        retry_after=retry_after(known),
        body=document,
    )


def failure_in(body: Mapping[str, Any], told: Any) -> APIStatusError:
    """The error that an answer tells of in a member of its own.

    Args:
        body: The answer, which the error keeps.
        told: What stands in that member: an object, a text, or nothing.
    """
    document = {"error": told or "The answer failed without a reason."}
    error = _error_of(200, document, {}, "")
    error.body = redact(dict(body))
    return error


def is_error_body(document: Any) -> bool:
    """Whether a body reports an error although its status says success."""
    return isinstance(document, dict) and (
        _reports_error(document)
        or ("choices" not in document and any(_reports_error(document.get(key)) for key in _INNER))
    )


def _reports_error(body: Any) -> bool:
    error = _member(body, "error")
    if _member(body, "type") == "error":  # an event of a stream, which may have no such member
        return True
    return isinstance(error, str | dict) and bool(error) and not _SUCCESS_MEMBERS & body.keys()


def read_error(status: int, document: Any) -> Reading:
    """Finds text, code, maker and provider headers in any of the known error shapes."""
    if not isinstance(document, dict):
        return Reading(readable(str(document or "")), None, "unknown", {})
    outer: Mapping[str, Any] = document
    if not document.get("error") and _reports_error(document.get("result")):
        outer = document["result"]
    return Reading(
        _first_text(outer),
        _first_code(outer),
        _maker(status, outer),
        text_headers(document.get("headers") or document.get("response_headers")),
    )


def not_readable(text: str, headers: Mapping[str, str], token: str = "") -> UnreadableAnswerError:
    """The error for a success whose body is not JSON."""
    said = readable(redact_text(text, token))
    return UnreadableAnswerError(
        f"A successful answer is not JSON: {said}" if said else "A successful answer is empty.",
        hint="Something between here and xAI answered in its place; check base_url and proxies.",
        maker="unknown",
        request_id=headers.get("x-request-id"),
        body=said,
    ).without(token)


def readable(text: str) -> str:
    """A text for people: tags removed if it is HTML, white space folded, cut short."""
    if _LOOKS_LIKE_HTML.match(text):
        text = html.unescape(_TAG.sub(" ", text[:100_000]))
    text = " ".join(text.split())
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the headers ask; None without a usable figure."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except KeyError:
            continue
        except ValueError:
            seconds = _until(headers[name], headers.get("date", ""))
        if 0 <= seconds < float("inf"):
            return seconds
    return None


def _until(moment: str, now: str) -> float:
    """Seconds between two HTTP dates; the answer's own date spares us a clock."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    except (TypeError, ValueError):
        return float("inf")


def _applies(rule: Rule, status: int, reading: Reading) -> bool:
    return (
        status in rule.statuses
        and rule.maker in (None, reading.maker)
        and re.search(rule.text, reading.text, re.IGNORECASE) is not None
    )


def _by_status_or_code(status: int, reading: Reading) -> type[APIStatusError]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    if status in _NOT_SERVED:
        return BadRequestError
    for words, error in BY_CODE if status in SUCCESSES else ():
        if re.search(words, reading.code or "", re.IGNORECASE):
            return error
    return InternalServerError


def _first_text(document: Mapping[str, Any]) -> str:
    error, data = document.get("error"), document.get("data")
    places = (
        _member(_member(error, "error"), "message"),
        _member(error, "error"),
        _member(error, "message"),
        error,
        _member(_member(data, "error"), "message"),
        _member(data, "error"),
        document.get("message"),
    )
    return next((readable(text) for text in places if isinstance(text, str) and text.strip()), "")


def _first_code(document: Mapping[str, Any]) -> str | None:
    error, data = document.get("error"), document.get("data")
    places = (
        _member(_member(error, "error"), "code"),
        _member(error, "code"),
        _member(_member(data, "error"), "code"),
        _member(data, "code"),
        document.get("code"),
        # The messages form has a type in the place of a code.
        _member(_member(error, "error"), "type"),
        _member(error, "type"),
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
