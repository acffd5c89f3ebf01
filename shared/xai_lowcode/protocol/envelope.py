"""Remove the gateway's envelope from xAI's responses.

There are three envelope formats. It is not documented which one the hosted gateway uses, so all are
accepted.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


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
    if "result" in document and ("provider" in document or "response_headers" in document):
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
