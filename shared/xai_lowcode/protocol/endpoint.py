"""Endpoints as values: method, path, and how their responses are parsed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from xai_lowcode._internal.values import Value
from xai_lowcode.errors import InvalidResponseError

T_co = TypeVar("T_co", covariant=True)
Method = Literal["GET", "POST", "PATCH", "DELETE"]
UrlFormat = Literal["new", "old"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Endpoint(Value, Generic[T_co]):
    """One endpoint.

    Attributes:
        name: The gateway's name for it, for messages.
        method: HTTP method.
        path: Path below the base URL, with ``{parameter}`` for a path parameter.
        parse: Parses the body without its envelope; raises InvalidResponseError.
        idempotent: Whether it may be called twice without harm or cost.
        body_has_data_key: Whether xAI's own body has a ``data`` key, like the ``data`` envelope.
        preferred_url_format: The URL format to try first with ``url_format="auto"``.
        response_kind: ``"json"``, ``"bytes"``, or ``"pending"`` for JSON that may not be ready.
        host: ``"gateway"``, or ``"backend"``, which is never sent the token.
        at_most_once: Whether a request that may have been received is never repeated, not even when
            its connection was found closed: its response can be retrieved only once, or it appends.
    """

    name: str
    method: Method
    path: str
    parse: Callable[[Any], T_co]
    idempotent: bool = False
    body_has_data_key: bool = False
    preferred_url_format: UrlFormat = "new"
    response_kind: Literal["json", "bytes", "pending"] = "json"
    host: Literal["gateway", "backend"] = "gateway"
    at_most_once: bool = False


def parse_object(*keys: str) -> Callable[[Any], dict[str, Any]]:
    """Return a parser that accepts an object with the given keys and returns it unchanged."""

    def parse(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or not all(key in body for key in keys):
            raise InvalidResponseError(
                f"The response is not an object with {' and '.join(map(repr, keys))}.", body=body
            )
        return body

    return parse
