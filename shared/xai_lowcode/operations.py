"""The endpoints of the gateway, one value each: address, method, and what an answer looks like.

A new endpoint is a new row here. Clients, retries, URL forms and envelopes read the row and know
nothing of endpoints.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from xai_lowcode.errors import UnreadableAnswerError
from xai_lowcode.images import read_images

T_co = TypeVar("T_co", covariant=True)
Method = Literal["GET", "POST", "PATCH", "DELETE"]
Form = Literal["new", "old"]


@dataclass(frozen=True, slots=True)
class Operation(Generic[T_co]):
    """One endpoint.

    Attributes:
        name: The gateway's own name for it, used in messages.
        method: HTTP method.
        path: Path below the base URL, with ``{parameter}`` where an id goes.
        parse: Reads the unwrapped body; raises UnreadableAnswerError if it has another shape.
        idempotent: Whether repeating it after a lost answer does no harm and costs nothing.
        own_data: Whether xAI's own body has a ``data`` key, which the ``data`` envelope has too.
        prefers: The URL form to try first when the user leaves the choice open.
    """

    name: str
    method: Method
    path: str
    parse: Callable[[Any], T_co]
    idempotent: bool = False
    own_data: bool = False
    prefers: Form = "new"


def object_with(*keys: str) -> Callable[[Any], dict[str, Any]]:
    """Makes a parser that accepts an object holding all the given keys, and returns it as it is."""

    def parse(body: Any) -> dict[str, Any]:
        if not isinstance(body, dict) or not all(key in body for key in keys):
            raise UnreadableAnswerError(
                f"The answer is not an object with {' and '.join(map(repr, keys))}.", body=body
            )
        return body

    return parse


def items_of(key: str) -> Callable[[Any], list[Mapping[str, Any]]]:
    """Makes a parser for a list of objects below one key."""
    whole = object_with(key)

    def parse(body: Any) -> list[Mapping[str, Any]]:
        items = whole(body)[key]
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnreadableAnswerError(f"{key!r} is not a list of objects.", body=body)
        return items

    return parse


CREATE_CHAT_COMPLETION = Operation(
    "Create Chat Completion", "POST", "/v1/chat/completions", object_with("choices")
)
CREATE_IMAGE_GENERATION = Operation(
    "Create Image Generation", "POST", "/v1/images/generations", read_images, own_data=True
)
LIST_MODELS = Operation(
    "List Models", "GET", "/v1/models", items_of("data"), idempotent=True, own_data=True
)
RETRIEVE_MODEL = Operation(
    "Retrieve Model", "GET", "/v1/models/{model_id}", object_with("id"), idempotent=True
)
GET_API_KEY = Operation(
    "Get API Key", "GET", "/v1/api-key", object_with("redacted_api_key"), idempotent=True
)
