"""What the gateway wraps around an answer of xAI, and nothing about the answer itself.

Three forms are in use and which one the hosted gateway uses is not certain, so all are accepted
and told apart only here.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Unwrapped(NamedTuple):
    """An answer without its envelope.

    Attributes:
        body: What xAI answered.
        headers: xAI's response headers, lower-case names; empty where the envelope keeps none.
    """

    body: Any
    headers: Mapping[str, str]


def unwrap(document: Any, *, body_has_data_key: bool = False) -> Unwrapped:
    """Takes the envelope off, exactly once.

    Args:
        document: The decoded answer.
        body_has_data_key: Whether xAI's own body has a ``data`` key here; then a list below ``data`` is that
            body's, and only an object is an envelope's.

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
    """Takes the envelope off one chunk of a stream; xAI's own and errors are left as they are."""
    if isinstance(document, dict) and not (
        "choices" in document or "type" in document or document.get("error")
    ):
        for key in ("data", "result"):
            if isinstance(document.get(key), dict):
                return document[key]
    return document


def text_headers(headers: Any) -> dict[str, str]:
    """Header names in lower case with their values as text; empty for anything but an object."""
    if not isinstance(headers, dict):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}
