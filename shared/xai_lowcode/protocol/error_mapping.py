"""Map error responses to exception classes. ``envelope`` detects them.

Parses xAI's four error formats and the gateway's, in an envelope, in a response with status 200,
and in the HTML of a proxy.
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
from xai_lowcode.protocol.envelope import (
    ENVELOPE_KEYS,
    STATUS_KEYS,
    SUCCESS_STATUSES,
    get_key,
    is_error,
    is_error_type,
    repeated_status,
    reports_error,
    text_headers,
)
from xai_lowcode.redaction import bounded, excerpt


class ErrorRule(NamedTuple):
    """Maps a known error message to an exception class.

    Attributes:
        pattern: A regular expression that is searched in the message, ignoring case.
        error_class: The exception class.
        hint: The hint of the exception.
        source: The source that matches; None for any.
        statuses: The HTTP statuses that match.
    """

    pattern: str
    error_class: type[APIStatusError]
    hint: str
    source: ErrorSource | None = None
    statuses: range | frozenset[int] = frozenset({200, *range(400, 500)})


# Messages of the gateway's source code and xAI's, transcribed or recorded. Different errors share a
# status and a code, and differ in the message only.
ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        r"valid api token is required",
        AuthenticationError,
        f"This is not an API token of the gateway: tokens begin with at_. {TOKEN_SOURCE}",
        source="gateway",
    ),
    ErrorRule(
        r"invalid api_token",
        AuthenticationError,
        f"The gateway has no such token: it is mistyped or was deleted. {TOKEN_SOURCE}",
        source="gateway",
    ),
    ErrorRule(
        r"no access token is associated",
        AccountNotConnectedError,
        "The token is valid, but its account has no xAI key: connect xAI at https://lowcodeapi.com.",
        source="gateway",
    ),
    ErrorRule(
        r"^not found$",
        RouteNotFoundError,
        "The gateway has no such endpoint. Check that base_url ends in /xai.",
        source="gateway",
        statuses=frozenset({404}),
    ),
    ErrorRule(
        r"no handler found on route",
        RouteNotFoundError,
        "xAI has no such endpoint.",
    ),
    ErrorRule(
        r"(incorrect|invalid) api key|api key .*(blocked|disabled)",
        AuthenticationError,
        "The token is valid, but xAI rejects the key stored in its account: create a key at"
        " https://console.x.ai and connect it at https://lowcodeapi.com"
        " (a change takes effect within two minutes).",
    ),
    ErrorRule(
        r"all available credits|spending limit|any credits yet",
        CreditsExhaustedError,
        "Buy credits or raise the spending limit at https://console.x.ai.",
        statuses=range(200, 600),
    ),
    ErrorRule(
        r"violates usage guidelines|safety_check_type",
        ContentPolicyError,
        "xAI rejects this content. Retrying does not help.",
    ),
    ErrorRule(
        r"model not found|the model \S+ (was deprecated|does not exist)",
        ModelNotFoundError,
        "List the models of this account with Gateway().list_models() or `xai-lowcode models`.",
    ),
    ErrorRule(
        r"maximum prompt length|context (length|window)",
        ContextLengthError,
        "Shorten the conversation, or use a model with a larger context window.",
    ),
    ErrorRule(
        r"live search is deprecated",
        BadRequestError,
        "Omit search_parameters and use xAI's server-side tools instead.",
        statuses=frozenset({410}),
    ),
    ErrorRule(
        "",
        BadRequestError,
        "The gateway accepts request bodies of up to 100 MB.",
        statuses=frozenset({413}),
    ),
)

ERROR_CLASS_BY_STATUS: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    402: CreditsExhaustedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: InternalServerError,
    429: RateLimitError,
}

# For errors in a response with status 200: patterns of xAI's error codes (gRPC's, in two spellings)
# and of the error types of the Messages and Responses APIs.
ERROR_CLASS_BY_CODE: tuple[tuple[str, type[APIStatusError]], ...] = (
    (r"context.length", ContextLengthError),
    (r"permission", PermissionDeniedError),
    (r"not.found", NotFoundError),
    (r"unauthenticated|authentication", AuthenticationError),
    (r"quota|billing", CreditsExhaustedError),
    (r"exhausted|rate.limit", RateLimitError),
    (r"invalid|too.large", BadRequestError),
)


MAX_TEXT = 500
"""Length of a message, a code or a header in an error, in characters."""

MAX_VALID_RETRY_AFTER = 365 * 24 * 3600
"""Seconds; a larger ``Retry-After`` is an overflow, or a timestamp."""

_MAX_LOCATION = 300
# The headers that an error uses.
_ERROR_HEADERS = ("x-request-id", "retry-after-ms", "retry-after", "date")

_REDIRECT_STATUSES = range(300, 400)
_BAD_REQUEST_STATUSES = range(300, 500)

_HEADER_KEYS = frozenset({"headers", "response_headers"})
# Only these keys of a body with more than _MAX_KEYS keys are read.
_MAX_KEYS = 1_000
_ERROR_KEYS = _HEADER_KEYS | {
    *("error", "errors", "message", "code", "type", "object", "detail", "title", "provider"),
    *STATUS_KEYS,
    *ENVELOPE_KEYS,
}

# Where a body has the error message and the code; "first" is the first one of a list of errors.
_MESSAGE_PATHS = (
    "error.error.message error.error error.message error data.error.message data.error message"
    " first.message first.msg first.detail first"
    # Problem details of RFC 9457, and FastAPI's errors.
    " detail title"
)
# The Messages API has a type instead of a code.
_CODE_PATHS = (
    "error.error.code error.code data.error.code data.code code first.code"
    " error.error.type error.type"
)

# An element that is not closed ends with the string, so that the search takes linear time.
_TAG = (
    r"(?is)"
    r"<(script|style|head)\b.*?(?:</\1>|(?=<body\b)|\Z)|<[^<>]+>"
)
_LOOKS_LIKE_HTML = (
    r"(?i)"
    r"\s*<(!doctype|html|head|body|h1|title)\b"
)


class ErrorDetails(NamedTuple):
    """What an error body contains.

    Attributes:
        text: The error message; empty for none.
        code: The error code; None for none.
        source: Where the error originated.
        headers: xAI's response headers from the envelope, lower-case names.
    """

    text: str
    code: str | None
    source: ErrorSource
    headers: Mapping[str, str]


def error_from_response(
    status: int, document: Any, headers: Mapping[str, str], token: str = ""
) -> APIStatusError | None:
    """Return the error that a response reports; None for a success.

    Args:
        status: HTTP status.
        document: Decoded JSON, or a string if the body is not JSON.
        headers: HTTP headers of the response, lower-case names.
        token: The token in use, which is redacted.
    """
    return build_error(status, document, headers, token) if is_error(status, document) else None


def build_error(
    status: int, document: Any, headers: Mapping[str, str], token: str
) -> APIStatusError:
    """Return the error for a response that reports one; see ``error_from_response``."""
    details = parse_error(status, _bound_document(document))
    message = excerpt(details.text, token) or f"HTTP status {status} without an error message."
    if status in _REDIRECT_STATUSES and (location := headers.get("location")):
        location = excerpt(location, token, limit=_MAX_LOCATION)
        message = f"The server redirects to {location} (redirects are not followed: check base_url)"
    rule = next((rule for rule in ERROR_RULES if _matches(rule, status, details)), None)
    error_class = rule.error_class if rule else _class_from_status_or_code(status, details.code)
    error_headers = _select_headers({**headers, **details.headers}, token)
    return error_class(
        message,
        hint=rule.hint if rule else None,
        status_code=status,
        code=details.code and excerpt(details.code, token, limit=MAX_TEXT),
        source=details.source,
        request_id=error_headers.get("x-request-id"),
        retry_after=parse_retry_after(error_headers),
        body=bounded(document, token),
    )


def _bound_document(document: Any) -> Any:
    """Limit the size of a body for ``parse_error``.

    ``parse_error`` truncates the strings that it uses. They are redacted afterwards, which also
    removes a truncated token.
    """
    match document:
        case str():
            # The text of an HTML page may come after a long head.
            return to_plain_text(document)
        case dict():
            large = len(document) > _MAX_KEYS
            keys = _ERROR_KEYS & document.keys() if large else document.keys()
            return {
                key: bounded(document[key]) if key in _HEADER_KEYS else document[key]
                for key in keys
            }
        case _:
            return bounded(document)


def error_from_field(body: Mapping[str, Any], value: Any) -> APIStatusError:
    """Return the error that a successful response reports in a field.

    Args:
        body: The response; it becomes the ``body`` of the error.
        value: The value of the field: an object, a string, or None.
    """
    document = {"error": value or "The response failed without an error message."}
    error = build_error(200, document, {}, "")
    error.body = bounded(dict(body))
    return error


def error_from_event(document: Any, token: str = "") -> APIStatusError:
    """Return the error that an ``error`` event of a stream reports.

    Args:
        document: The data of the event: decoded JSON, or a string if it is not JSON.
        token: The token in use, which is redacted.
    """
    return build_error(200, document, {}, token)


def parse_error(status: int, document: Any) -> ErrorDetails:
    """Parse an error body of any known format."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return ErrorDetails(to_plain_text(str(document or "")), None, "unknown", {})
    body: Mapping[str, Any] = document
    if not document.get("error"):
        values = (document.get(key) for key in ENVELOPE_KEYS)
        inner = next((value for value in values if reports_error(value)), None)
        # An `error` under `data` stays there: its type shows the source.
        source_from_type = inner is not document.get("result") and isinstance(
            get_key(inner, "error"), str | dict
        )
        body = body if inner is None or source_from_type else inner
    code = _first_text(body, _CODE_PATHS)
    if code is None and is_error_type(body.get("type")):
        code = body["type"]
    if code is None and status in SUCCESS_STATUSES:
        objects = (body, body.get("error"), get_key(body.get("data"), "error"))
        error_status = next(filter(None, map(repeated_status, objects)), None)
        code = None if error_status is None else str(error_status)
    return ErrorDetails(
        to_plain_text(_first_text(body, _MESSAGE_PATHS) or ""),
        code,
        _find_source(status, body),
        text_headers(document.get("headers") or document.get("response_headers")),
    )


def unparsable_response_error(
    content: str, headers: Mapping[str, str], token: str = ""
) -> InvalidResponseError:
    """Return the error for a response with a success status whose body is not JSON."""
    text = to_plain_text(content, token)
    return InvalidResponseError(
        f"The response is not JSON: {text}" if text else "The response is empty.",
        hint="A proxy or another server may have responded. Check base_url and proxy.",
        source="unknown",
        request_id=headers.get("x-request-id"),
        body=text,
    ).redact_token(token)


def to_plain_text(text: str, token: str = "") -> str:
    """Remove HTML tags, collapse white space, redact and truncate a string."""
    text = excerpt(text, token)
    if re.match(_LOOKS_LIKE_HTML, text):
        text = html.unescape(re.sub(_TAG, " ", text))
    return excerpt(" ".join(text.split()), token, limit=MAX_TEXT)


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of ``Retry-After-Ms`` or ``Retry-After``; None if absent or invalid."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except KeyError:
            continue
        except ValueError:
            seconds = _seconds_between(headers[name], headers.get("date", ""))
        if 0 <= seconds <= MAX_VALID_RETRY_AFTER:
            return seconds
    return None


def _seconds_between(retry_after: str, date: str) -> float:
    """Return the seconds from ``Date`` to ``Retry-After``; infinity if one is invalid."""
    try:
        return (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date)).total_seconds()
    # The parser raises different exceptions for invalid, incomplete and out of range dates.
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return float("inf")


def _select_headers(headers: Mapping[str, str], token: str) -> dict[str, str]:
    return {
        name: excerpt(headers[name], token, limit=MAX_TEXT)
        for name in _ERROR_HEADERS
        if name in headers
    }


def _matches(rule: ErrorRule, status: int, details: ErrorDetails) -> bool:
    return (
        status in rule.statuses
        and rule.source in (None, details.source)
        and re.search(rule.pattern, details.text, re.IGNORECASE) is not None
    )


def _class_from_status_or_code(status: int, code: str | None) -> type[APIStatusError]:
    if status in SUCCESS_STATUSES and re.fullmatch("[45][0-9]{2}", code or ""):
        status = int(code or 0)
    if status in ERROR_CLASS_BY_STATUS:
        return ERROR_CLASS_BY_STATUS[status]
    if status in _BAD_REQUEST_STATUSES:
        return BadRequestError
    for pattern, error_class in ERROR_CLASS_BY_CODE if status in SUCCESS_STATUSES else ():
        if re.search(pattern, code or "", re.IGNORECASE):
            return error_class
    return InternalServerError


def _first_text(body: Mapping[str, Any], paths: str) -> str | None:
    """Return the first string that is not blank at one of the paths."""
    lists = map(body.get, ("errors", "error", "message", "detail"))
    first = next((value[0] for value in lists if isinstance(value, list) and value), None)
    for path in paths.split():
        value: Any = body
        for key in path.split("."):
            value = first if key == "first" else get_key(value, key)
        if isinstance(value, str) and value.strip():
            return value
    return None


def _find_source(status: int, document: Mapping[str, Any]) -> ErrorSource:
    error = document.get("error")
    if "headers" in document and error is not None:
        return "provider"
    if isinstance(inner := get_key(document.get("data"), "error"), str | dict):
        # A string is xAI's format. Both xAI and the gateway may return an object.
        return "provider" if isinstance(inner, str) else "unknown"
    if "provider" not in document and error is not None:
        return "provider"
    return "provider" if status in SUCCESS_STATUSES else "gateway"
