"""What the fake model generated, before a serializer formats it for an API."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from xai_lowcode.emulator import models
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.state import make_uuid


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """One function call; the arguments are JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CompletionChoice:
    """One choice of a completion; `reasoning` is set also if the model does not show it."""

    text: str
    calls: tuple[FunctionCall, ...]
    reasoning: str
    finish_reason: str
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """A completion of a chat request.

    Attributes:
        body: The request in the Chat Completions format.
        sequence: The number of the request, from which ids are derived.
        choices: The choices.
        usage: The usage in the Chat Completions format.
        created: The time of creation, in seconds since the epoch.
    """

    body: Json
    sequence: int
    choices: Sequence[CompletionChoice]
    usage: Json
    created: int = field(default_factory=lambda: int(time.time()))

    @property
    def model(self) -> str:
        """The name of the model, as requested."""
        return str(self.body["model"])

    @property
    def shows_reasoning(self) -> bool:
        """Whether the reasoning is in the response as plain text."""
        return models.shows_reasoning(self.model)

    def make_id(self, kind: str) -> str:
        """Return the id of the response, which is the same in every run."""
        return make_uuid(f"{kind}/{self.sequence}")
