"""The endpoints of the provider, one room each; a new endpoint is a new room and a row here."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from xai_lowcode.emulator.answers import Answer, Ask
from xai_lowcode.emulator.rooms import account, chat, images, models
from xai_lowcode.emulator.serde import ANYTHING, Shape


@dataclass(frozen=True, slots=True)
class Room:
    """One endpoint: where it is, what its body must look like, and who answers."""

    method: str
    path: str
    reply: Callable[[Ask], Awaitable[Answer]]
    shape: Shape = ANYTHING


ROOMS = (
    Room("POST", "/v1/chat/completions", chat.complete, chat.SHAPE),
    Room("GET", "/v1/models", models.listing),
    Room("GET", "/v1/models/{model_id}", models.one),
    Room("POST", "/v1/images/generations", images.generate, images.SHAPE),
    Room("GET", "/v1/api-key", account.api_key),
)
