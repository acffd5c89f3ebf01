"""Detect error responses and map them to exception classes.

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
from xai_lowcode.protocol.envelope import text_headers
from xai_lowcode.redaction import bounded, excerpt


class ErrorRule(NamedTuple):
    """Maps a known error message to an exception class.

    Attributes:
        statuses: The HTTP statuses that match.
        source: The source that matches; None for any.
        pattern: A regular expression that is searched in the message, ignoring case.
        error_class: The exception class.
        hint: The hint of the exception.
    """

    statuses: range | frozenset[int]
    source: ErrorSource | None
    pattern: str
    error_class: type[APIStatusError]
    hint: str | None = None


_ANY_STATUS = range(200, 600)
_CLIENT_ERROR_OR_200 = frozenset({200, *range(400, 500)})

# Messages of the gateway's source code and xAI's, transcribed or recorded. Different errors share a
# status and a code, and differ in the message only.
ERROR_RULES: tuple[ErrorRule, ...] = (
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        "gateway",
        r"valid api token is required",
        AuthenticationError,
        f"This is not an API token of the gateway: tokens begin with at_. {TOKEN_SOURCE}",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        "gateway",
        r"invalid api_token",
        AuthenticationError,
        f"The gateway has no such token: it is mistyped or was deleted. {TOKEN_SOURCE}",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        "gateway",
        r"no access token is associated",
        AccountNotConnectedError,
        "The token is valid, but its account has no xAI key: connect xAI at https://lowcodeapi.com.",
    ),
    ErrorRule(
        frozenset({404}),
        "gateway",
        r"^not found$",
        RouteNotFoundError,
        "The gateway has no such endpoint. Check that base_url ends in /xai.",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        None,
        r"no handler found on route",
        RouteNotFoundError,
        "xAI has no such endpoint.",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        None,
        r"(incorrect|invalid) api key|api key .*(blocked|disabled)",
        AuthenticationError,
        "The token is valid, but xAI rejects the key stored in its account: create a key at"
        " https://console.x.ai and connect it at https://lowcodeapi.com"
        " (a change takes effect within two minutes).",
    ),
    ErrorRule(
        _ANY_STATUS,
        None,
        r"all available credits|spending limit|any credits yet",
        CreditsExhaustedError,
        "Buy credits or raise the spending limit at https://console.x.ai.",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        None,
        r"violates usage guidelines|safety_check_type",
        ContentPolicyError,
        "xAI rejects this content. Retrying does not help.",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        None,
        r"model not found|the model \S+ (was deprecated|does not exist)",
        ModelNotFoundError,
        "List the models of this account with GET /v1/models.",
    ),
    ErrorRule(
        _CLIENT_ERROR_OR_200,
        None,
        r"maximum prompt length|context (length|window)",
        ContextLengthError,
        "Shorten the conversation, or use a model with a larger context window.",
    ),
    ErrorRule(
        frozenset({410}),
        None,
        r"live search is deprecated",
        BadRequestError,
        "Omit search_parameters and use xAI's server-side tools instead.",
    ),
    ErrorRule(
        frozenset({413}),
        None,
        "",
        BadRequestError,
        "The gateway accepts request bodies of up to 100 MB.",
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

MAX_RETRY_AFTER = 365 * 24 * 3600
"""Seconds; a larger ``Retry-After`` is an overflow, or a timestamp."""

_MAX_LOCATION = 300
# The headers that an error uses.
_ERROR_HEADERS = ("x-request-id", "retry-after-ms", "retry-after", "date")

# Keys under which an envelope has xAI's body.
_ENVELOPE_KEYS = ("result", "data")
_ENVELOPE_KEY_SET = frozenset(_ENVELOPE_KEYS)
SUCCESS_STATUSES = range(200, 300)
_REDIRECT_STATUSES = range(300, 400)
_BAD_REQUEST_STATUSES = range(300, 500)
_ERROR_STATUSES = range(400, 600)

# Keys with which proxies and frameworks repeat the HTTP status in a body.
_STATUS_KEYS = ("statusCode", "status_code", "status", "code")

_HEADER_KEYS = frozenset({"headers", "response_headers"})
# Only these keys of a body with more than _MAX_KEYS keys are read.
_MAX_KEYS = 1_000
_ERROR_KEYS = _HEADER_KEYS | {
    *("error", "errors", "message", "code", "type", "object", "detail", "title", "provider"),
    *_STATUS_KEYS,
    *_ENVELOPE_KEYS,
}

# Keys that only a successful body of xAI has; an `error` next to them does not report an error.
_SUCCESS_KEYS = frozenset({"choices", "object", "output", "content"})

# An element that is not closed ends with the string, so that the search takes linear time.
_TAG = re.compile(
    r"<(script|style|head)\b.*?(?:</\1>|(?=<body\b)|\Z)|<[^<>]+>", re.IGNORECASE | re.DOTALL
)
_LOOKS_LIKE_HTML = re.compile(r"\s*<(!doctype|html|head|body|h1|title)\b", re.IGNORECASE)


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
    if status in SUCCESS_STATUSES and not is_error_body(document):
        return None
    return _build_error(status, document, headers, token)


def _build_error(
    status: int, document: Any, headers: Mapping[str, str], token: str
) -> APIStatusError:
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
    error = _build_error(200, document, {}, "")
    error.body = bounded(dict(body))
    return error


def error_from_event(document: Any, token: str = "") -> APIStatusError:
    """Return the error that an ``error`` event of a stream reports.

    Args:
        document: The data of the event: decoded JSON, or a string if it is not JSON.
        token: The token in use, which is redacted.
    """
    return _build_error(200, document, {}, token)


def is_error_body(document: Any) -> bool:
    """Return whether the body of a response with a success status reports an error."""
    return isinstance(document, dict) and (
        _reports_error(document)
        or (
            "choices" not in document
            and any(_reports_error(document.get(key)) for key in _ENVELOPE_KEYS)
        )
    )


def _reports_error(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    # Error events and vLLM's errors may have no `error` key.
    if body.get("type") == "error" or body.get("object") == "error":
        return True
    if _SUCCESS_KEYS & body.keys():
        return False
    errors = body.get("errors")
    return (
        bool(body.get("error"))
        or (isinstance(errors, list) and bool(errors))
        or _get_error_status(body) is not None
        or _is_error_object(body)
    )


def _is_error_object(body: Mapping[str, Any]) -> bool:
    """Return whether a body is the object that OpenAI and Anthropic have under ``error``."""
    if not isinstance(body.get("message"), str) or not _ENVELOPE_KEY_SET.isdisjoint(body):
        return False
    return bool(body.get("code")) if "type" not in body else _is_error_type(body["type"])


def _is_error_type(value: Any) -> bool:
    # A type with a dot is that of a stream event.
    return isinstance(value, str) and value.endswith("_error") and "." not in value


def _get_error_status(body: Any) -> int | None:
    """Return the HTTP error status that a body repeats as a number."""
    values = (_get(body, key) for key in _STATUS_KEYS)
    return next(
        (code for code in values if isinstance(code, int) and code in _ERROR_STATUSES), None
    )


def parse_error(status: int, document: Any) -> ErrorDetails:
    """Parse an error body of any known format."""
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return ErrorDetails(to_plain_text(str(document or "")), None, "unknown", {})
    body: Mapping[str, Any] = document
    if not document.get("error"):
        values = (document.get(key) for key in _ENVELOPE_KEYS)
        inner = next((value for value in values if _reports_error(value)), None)
        # An `error` under `data` stays there: its type shows the source.
        source_from_type = inner is not document.get("result") and isinstance(
            _get(inner, "error"), str | dict
        )
        body = body if inner is None or source_from_type else inner
    code = _first_code(body)
    if code is None and status in SUCCESS_STATUSES:
        objects = (body, body.get("error"), _get(body.get("data"), "error"))
        error_status = next(filter(None, map(_get_error_status, objects)), None)
        code = None if error_status is None else str(error_status)
    return ErrorDetails(
        _first_message(body),
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
    if _LOOKS_LIKE_HTML.match(text):
        text = html.unescape(_TAG.sub(" ", text))
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
        if 0 <= seconds <= MAX_RETRY_AFTER:
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


def _first_message(document: Mapping[str, Any]) -> str:
    error, data, first = document.get("error"), document.get("data"), _first_of_list(document)
    candidates = (
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
        # Problem details of RFC 9457, and FastAPI's errors.
        document.get("detail"),
        document.get("title"),
    )
    return next(
        (to_plain_text(text) for text in candidates if isinstance(text, str) and text.strip()), ""
    )


def _first_of_list(document: Mapping[str, Any]) -> Any:
    """Return the first error of a body with a list of errors."""
    values = (document.get(key) for key in ("errors", "error", "message", "detail"))
    errors = next((value for value in values if isinstance(value, list) and value), None)
    return errors[0] if errors else None


def _first_code(document: Mapping[str, Any]) -> str | None:
    error, data = document.get("error"), document.get("data")
    candidates = (
        _get(_get(error, "error"), "code"),
        _get(error, "code"),
        _get(_get(data, "error"), "code"),
        _get(data, "code"),
        document.get("code"),
        _get(_first_of_list(document), "code"),
        # The Messages API has a type instead of a code.
        _get(_get(error, "error"), "type"),
        _get(error, "type"),
        document.get("type") if _is_error_type(document.get("type")) else None,
    )
    return next((code for code in candidates if isinstance(code, str) and code), None)


def _find_source(status: int, document: Mapping[str, Any]) -> ErrorSource:
    error = document.get("error")
    if "headers" in document and error is not None:
        return "provider"
    if isinstance(inner := _get(document.get("data"), "error"), str | dict):
        # A string is xAI's format. Both xAI and the gateway may return an object.
        return "provider" if isinstance(inner, str) else "unknown"
    if "provider" not in document and error is not None:
        return "provider"
    return "provider" if status in SUCCESS_STATUSES else "gateway"


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
