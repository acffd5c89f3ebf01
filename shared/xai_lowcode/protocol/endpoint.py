"""What an endpoint is to those who call it: address, method, and how its answer is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from xai_lowcode.errors import InvalidResponseError

T_co = TypeVar("T_co", covariant=True)
Method = Literal["GET", "POST", "PATCH", "DELETE"]
UrlFormat = Literal["new", "old"]


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T_co]):
    """One endpoint.

    Attributes:
        name: The gateway's own name for it, used in messages.
        method: HTTP method.
        path: Path below the base URL, with ``{parameter}`` where an id goes.
        parse: Reads the unwrapped body; raises InvalidResponseError if it has another shape.
        idempotent: Whether repeating it after a lost answer does no harm and costs nothing.
        body_has_data_key: Whether xAI's own body has a ``data`` key, which the ``data`` envelope has too.
        prefers: The URL form to try first when the user leaves the choice open.
        reads: What a success is: ``"json"``, ``"bytes"`` handed over as they came, or
            ``"pending"``, JSON that may also be nothing yet.
        host: ``"gateway"``, or ``"backend"``, which is never given the token.
        once: Whether a request that may have arrived must not be made again by itself, not even on
            a connection that was found closed: its answer is handed out once, or it adds something.
    """

    name: str
    method: Method
    path: str
    parse: Callable[[Any], T_co]
    idempotent: bool = False
    body_has_data_key: bool = False
    prefers: UrlFormat = "new"
    reads: Literal["json", "bytes", "pending"] = "json"
    host: Literal["gateway", "backend"] = "gateway"
    once: bool = False


def parse_object(*keys: str) -> Callable[[Any], dict[str, Any]]:
    """Makes a parser that accepts an object holding all the given keys, and returns it as it is."""

    def parse(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or not all(key in body for key in keys):
            raise InvalidResponseError(
                f"The answer is not an object with {' and '.join(map(repr, keys))}.", body=body
            )
        return body

    return parse
