"""Which answer is an error, whose it is, and which class of the error tree it becomes.

The only reader of error bodies: of xAI's four shapes and the gateway's own, inside their envelopes,
inside a 200, in HTML from a proxy. What a refusal means stands in ``refusals``.
"""

import html
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

from xai_lowcode.errors import (
    TOKEN_SOURCE,
    AccountNotConnectedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentPolicyError,
    ContextLengthError,
    CreditsExhaustedError,
    ErrorSource,
    InternalServerError,
    InvalidResponseError,
    ModelNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RouteNotFoundError,
)
from xai_lowcode.protocol.envelope import text_headers
from xai_lowcode.redaction import bounded, excerpt


class Rule(NamedTuple):
    """One row: what an answer must look like, and what it then is."""

    statuses: range | frozenset[int]
    source: ErrorSource | None
    text: str
    error: type[APIStatusError]
    hint: str | None = None


_ANY = range(200, 600)
# An error inside a 200 is told by its text like any other refusal.
_REFUSED = frozenset({200, *range(400, 500)})

# Sources: the gateway's texts and xAI's, as transcribed or recorded; only the text tells apart what
# shares one status and code.
RULES: tuple[Rule, ...] = (
    Rule(
        _REFUSED,
        "gateway",
        r"valid api token is required",
        AuthenticationError,
        f"The gateway does not take this for a token; it should begin with at_. {TOKEN_SOURCE}",
    ),
    Rule(
        _REFUSED,
        "gateway",
        r"invalid api_token",
        AuthenticationError,
        f"The gateway does not know this token: it is mistyped or was deleted. {TOKEN_SOURCE}",
    ),
    Rule(
        _REFUSED,
        "gateway",
        r"no access token is associated",
        AccountNotConnectedError,
        "The token is good, but its account has no xAI key: connect xAI at https://lowcodeapi.com.",
    ),
    Rule(
        frozenset({404}),
        "gateway",
        r"^not found$",
        RouteNotFoundError,
        "This gateway has no such endpoint; check that base_url ends in /xai.",
    ),
    Rule(
        _REFUSED,
        None,
        r"no handler found on route",
        RouteNotFoundError,
        "xAI has no such endpoint.",
    ),
    Rule(
        _REFUSED,
        None,
        r"(incorrect|invalid) api key|api key .*(blocked|disabled)",
        AuthenticationError,
        "The token is good, but xAI refuses the key stored in its account: renew it at"
        " https://console.x.ai and connect it again at https://lowcodeapi.com"
        " (a change takes up to two minutes to be seen).",
    ),
    Rule(
        _ANY,
        None,
        r"all available credits|spending limit|any credits yet",
        CreditsExhaustedError,
        "Buy credits or raise the spending limit at https://console.x.ai.",
    ),
    Rule(
        _REFUSED,
        None,
        r"violates usage guidelines|safety_check_type",
        ContentPolicyError,
        "xAI refuses this content; sending it again will not help.",
    ),
    Rule(
        _REFUSED,
        None,
        r"model not found|the model \S+ (was deprecated|does not exist)",
        ModelNotFoundError,
        "See which models this account has with GET /v1/models.",
    ),
    Rule(
        _REFUSED,
        None,
        r"maximum prompt length|context (length|window)",
        ContextLengthError,
        "Shorten the conversation, or use a model with a larger context window.",
    ),
    Rule(
        frozenset({410}),
        None,
        r"live search is deprecated",
        BadRequestError,
        "Leave search_parameters out; xAI's server-side tools replace it.",
    ),
    Rule(frozenset({413}), None, "", BadRequestError, "The gateway takes bodies of up to 100 MB."),
)

BY_STATUS: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    402: CreditsExhaustedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: InternalServerError,
    429: RateLimitError,
}

# An error inside a 200 has no status to go by, but xAI's code words (gRPC's, in two spellings), and
# those of the forms that xAI took over for messages and responses.
BY_CODE: tuple[tuple[str, type[APIStatusError]], ...] = (
    (r"context.length", ContextLengthError),
    (r"permission", PermissionDeniedError),
    (r"not.found", NotFoundError),
    (r"unauthenticated|authentication", AuthenticationError),
    (r"quota|billing", CreditsExhaustedError),
    (r"exhausted|rate.limit", RateLimitError),
    (r"invalid|too.large", BadRequestError),
)


MAX_TEXT = 500
MAX_RETRY_AFTER = 365 * 24 * 3600
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


class ErrorDetails(NamedTuple):
    """The facts of an error body, wherever they stood in it."""

    text: str
    code: str | None
    source: ErrorSource
    headers: Mapping[str, str]


def error_from_response(
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
    return _build_error(status, document, headers, token)


def _build_error(
    status: int, document: Any, headers: Mapping[str, str], token: str
) -> APIStatusError:
    reading = parse_error(status, _bound_document(document))
    text = excerpt(reading.text, token) or f"The answer has status {status} and no text."
    if status in _REDIRECTS and (location := headers.get("location")):
        where = excerpt(location, token, limit=_LONGEST_LOCATION)
        text = f"The server redirects to {where} (redirects are not followed: check base_url)"
    rule = next((rule for rule in RULES if _matches(rule, status, reading)), None)
    known = _select_headers({**headers, **reading.headers}, token)
    return (rule.error if rule else _class_from_status_or_code(status, reading))(
        text,
        hint=rule.hint if rule else None,
        status_code=status,
        code=reading.code and excerpt(reading.code, token, limit=MAX_TEXT),
        source=reading.source,
        request_id=known.get("x-request-id"),
        retry_after=parse_retry_after(known),
        body=bounded(document, token),
    )


def _bound_document(document: Any) -> Any:
    """A body as ``parse_error`` is given it: nothing is printed whole there, whatever its size.

    Texts are cut while they are read, and what a cut leaves of a token goes when they are redacted.
    """
    match document:
        case str():
            # A page is read further than it is kept: its text may come after a long head.
            return to_plain_text(document)
        case dict():
            wide = len(document) > _MOST_MEMBERS
            names = _TELLING & document.keys() if wide else document.keys()
            return {
                name: bounded(document[name]) if name in _HEADERS else document[name]
                for name in names
            }
        case _:
            return bounded(document)


def error_from_field(body: Mapping[str, Any], told: Any) -> APIStatusError:
    """The error that an answer tells of in a member of its own.

    Args:
        body: The answer, which the error keeps.
        told: What stands in that member: an object, a text, or nothing.
    """
    document = {"error": told or "The answer failed without a reason."}
    error = _build_error(200, document, {}, "")
    error.body = bounded(dict(body))
    return error


def error_from_event(document: Any, token: str = "") -> APIStatusError:
    """The error of a stream event that is known to report one, whatever its data looks like.

    Args:
        document: The data: decoded JSON, or the text of anything else.
        token: The token in use, blanked wherever the data quotes it.
    """
    return _build_error(200, document, {}, token)


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
        or _get_status(body) is not None
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


def _get_status(body: Any) -> int | None:
    """An HTTP status of a failure that a body repeats as a number."""
    found = (_get(body, field) for field in _STATUS_FIELDS)
    return next((code for code in found if isinstance(code, int) and code in _FAILURES), None)


def parse_error(status: int, document: Any) -> ErrorDetails:
    """Finds text, code, source and provider headers in any of the known error shapes."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return ErrorDetails(to_plain_text(str(document or "")), None, "unknown", {})
    outer: Mapping[str, Any] = document
    if not document.get("error"):
        inner = next((document[key] for key in _INNER if _reports_error(document.get(key))), None)
        # An `error` below `data` is read where it is, since its form tells who made it.
        told_by_form = inner is not document.get("result") and isinstance(
            _get(inner, "error"), str | dict
        )
        outer = outer if inner is None or told_by_form else inner
    code = _first_code(outer)
    if code is None and status in SUCCESSES:
        holders = (outer, outer.get("error"), _get(outer.get("data"), "error"))
        number = next(filter(None, map(_get_status, holders)), None)
        code = None if number is None else str(number)
    return ErrorDetails(
        _first_text(outer),
        code,
        _find_source(status, outer),
        text_headers(document.get("headers") or document.get("response_headers")),
    )


def unparsable_response_error(
    text: str, headers: Mapping[str, str], token: str = ""
) -> InvalidResponseError:
    """The error for a success whose body is not JSON."""
    said = to_plain_text(text, token)
    return InvalidResponseError(
        f"A successful answer is not JSON: {said}" if said else "A successful answer is empty.",
        hint="Something between here and xAI answered in its place; check base_url and proxies.",
        source="unknown",
        request_id=headers.get("x-request-id"),
        body=said,
    ).redact_token(token)


def to_plain_text(text: str, token: str = "") -> str:
    """A text for people: tags removed if it is HTML, white space folded, redacted, cut short."""
    text = excerpt(text, token)
    if _LOOKS_LIKE_HTML.match(text):
        text = html.unescape(_TAG.sub(" ", text))
    return excerpt(" ".join(text.split()), token, limit=MAX_TEXT)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the headers ask; None without a usable figure."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except KeyError:
            continue
        except ValueError:
            seconds = _seconds_between(headers[name], headers.get("date", ""))
        if 0 <= seconds <= MAX_RETRY_AFTER:
            return seconds
    return None


def _seconds_between(moment: str, now: str) -> float:
    """Seconds between two HTTP dates; the answer's own date spares us a clock."""
    try:
        return (parsedate_to_datetime(moment) - parsedate_to_datetime(now)).total_seconds()
    # A date that is none, lacks parts, or is out of range: the parser has an exception for each.
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return float("inf")


def _select_headers(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {
        name: excerpt(headers[name], token, limit=MAX_TEXT)
        for name in _KNOWN_HEADERS
        if name in headers
    }


def _matches(rule: Rule, status: int, reading: ErrorDetails) -> bool:
    return (
        status in rule.statuses
        and rule.source in (None, reading.source)
        and re.search(rule.text, reading.text, re.IGNORECASE) is not None
    )


def _class_from_status_or_code(status: int, reading: ErrorDetails) -> type[APIStatusError]:
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
        _get(_get(error, "error"), "message"),
        _get(error, "error"),
        _get(error, "message"),
        error,
        _get(_get(data, "error"), "message"),
        _get(data, "error"),
        document.get("message"),
        _get(first, "message"),
        _get(first, "msg"),
        _get(first, "detail"),
        first,
        # Problem details of RFC 9457, and what FastAPI sends.
        document.get("detail"),
        document.get("title"),
    )
    return next(
        (to_plain_text(text) for text in places if isinstance(text, str) and text.strip()), ""
    )


def _first_of_several(document: Mapping[str, Any]) -> Any:
    """The first entry where a body lists its errors."""
    lists = (document.get(field) for field in ("errors", "error", "message", "detail"))
    entries = next((found for found in lists if isinstance(found, list) and found), None)
    return entries[0] if entries else None


def _first_code(document: Mapping[str, Any]) -> str | None:
    error, data = document.get("error"), document.get("data")
    places = (
        _get(_get(error, "error"), "code"),
        _get(error, "code"),
        _get(_get(data, "error"), "code"),
        _get(data, "code"),
        document.get("code"),
        _get(_first_of_several(document), "code"),
        # The messages form has a type in the place of a code.
        _get(_get(error, "error"), "type"),
        _get(error, "type"),
        document.get("type") if _is_error_type(document.get("type")) else None,
    )
    return next((code for code in places if isinstance(code, str) and code), None)


def _find_source(status: int, document: Mapping[str, Any]) -> ErrorSource:
    error = document.get("error")
    if "headers" in document and error is not None:
        return "provider"
    if isinstance(inner := _get(document.get("data"), "error"), str | dict):
        # A text is xAI's own form, an object the documented one, which anybody may have made.
        return "provider" if isinstance(inner, str) else "unknown"
    if "provider" not in document and error is not None:
        return "provider"
    return "provider" if status in SUCCESSES else "gateway"


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
