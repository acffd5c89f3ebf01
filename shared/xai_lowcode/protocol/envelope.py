"""Remove the gateway's envelope from xAI's responses, and detect responses that report an error.

There are three envelope formats. It is not documented which one the hosted gateway uses, so all are
accepted.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

SUCCESS_STATUSES = range(200, 300)
_ERROR_STATUSES = range(400, 600)

ENVELOPE_KEYS = ("result", "data")
"""Keys under which an envelope has xAI's body."""

STATUS_KEYS = ("statusCode", "status_code", "status", "code")
"""Keys with which proxies and frameworks repeat the HTTP status in a body."""

# Keys that only a successful body of xAI has; an `error` next to them does not report an error.
_SUCCESS_KEYS = frozenset({"choices", "object", "output", "content"})


class Unwrapped(NamedTuple):
    """A response without its envelope.

    Attributes:
        body: xAI's response body.
        headers: xAI's response headers, lower-case names; empty if the envelope has none.
    """

    body: Any
    headers: Mapping[str, str]


def unwrap(document: Any, *, body_has_data_key: bool = False) -> Unwrapped:
    """Remove the envelope, if there is one.

    Args:
        document: The decoded response.
        body_has_data_key: Whether xAI's body has a ``data`` key with a list. Then an object with a
            list under ``data`` is the body, not an envelope.

    Example:
        >>> unwrap({"data": {"id": "c1"}}).body
        {'id': 'c1'}
        >>> unwrap({"data": [{"url": "…"}]}, body_has_data_key=True).body
        {'data': [{'url': '…'}]}
    """
    if not isinstance(document, dict):
        return Unwrapped(document, {})
    if "result" in document and (
        len(document) == 1 or "provider" in document or "response_headers" in document
    ):
        return Unwrapped(document["result"], text_headers(document.get("response_headers")))
    if len(document) == 1 and "data" in document:
        inner = document["data"]
        if not body_has_data_key or isinstance(inner, dict):
            return Unwrapped(inner, {})
    return Unwrapped(document, {})


def unwrap_chunk(document: Any) -> Any:
    """Remove the envelope from a chunk of a stream. Other chunks and errors are unchanged."""
    if isinstance(document, dict) and not (
        "choices" in document or "type" in document or document.get("error")
    ):
        for key in ("data", "result"):
            if isinstance(document.get(key), dict):
                return document[key]
    return document


def text_headers(headers: Any) -> dict[str, str]:
    """Return headers with lower-case names and string values; empty if it is not an object."""
    if not isinstance(headers, dict):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def is_error(status: int, document: Any) -> bool:
    """Return whether a response reports an error.

    Args:
        status: HTTP status.
        document: Decoded JSON, or a string if the body is not JSON.
    """
    return status not in SUCCESS_STATUSES or is_error_body(document)


def is_error_body(document: Any) -> bool:
    """Return whether the body of a response with a success status reports an error."""
    return isinstance(document, dict) and (
        reports_error(document)
        or (
            "choices" not in document
            and any(reports_error(document.get(key)) for key in ENVELOPE_KEYS)
        )
    )


def reports_error(body: Any) -> bool:
    """Return whether an object reports an error itself, not one in its envelope."""
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
        or repeated_status(body) is not None
        or _is_error_object(body)
    )


def _is_error_object(body: Mapping[str, Any]) -> bool:
    """Return whether a body is the object that OpenAI and Anthropic have under ``error``."""
    if not isinstance(body.get("message"), str) or body.keys() & ENVELOPE_KEYS:
        return False
    return bool(body.get("code")) if "type" not in body else is_error_type(body["type"])


def is_error_type(value: Any) -> bool:
    """Return whether a ``type`` is that of an error. One with a dot is that of a stream event."""
    return isinstance(value, str) and value.endswith("_error") and "." not in value


def repeated_status(body: Any) -> int | None:
    """Return the HTTP error status that a body repeats as a number."""
    values = (get_key(body, key) for key in STATUS_KEYS)
    return next(
        (code for code in values if isinstance(code, int) and code in _ERROR_STATUSES), None
    )


def get_key(value: Any, key: str) -> Any:
    """Return the value of a key; None if there is none, or no object."""
    return value.get(key) if isinstance(value, dict) else None
