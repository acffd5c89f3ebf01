"""Join characters of a stream whose halves arrived in two chunks.

JSON may write a character outside the basic multilingual plane as two surrogates. A service that
cuts a stream between tokens may send one in each chunk.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from xai_lowcode._internal.json import replace_surrogates
from xai_lowcode.types.events import (
    ChoiceFinished,
    ReasoningDelta,
    RefusalDelta,
    StreamEvent,
    TextDelta,
    ToolCallDelta,
)

_FIELDS: dict[type, str] = {
    TextDelta: "text",
    ReasoningDelta: "text",
    RefusalDelta: "text",
    ToolCallDelta: "arguments",
}


class SurrogateJoiner:
    """Joins the halves of characters; a half without the other one becomes U+FFFD."""

    def __init__(self) -> None:
        # A delta with half a character at its end, by kind, choice and index.
        self._halves: dict[tuple[Any, ...], Any] = {}

    def join(self, events: Iterable[StreamEvent]) -> Iterable[StreamEvent]:
        """Yield the events without lone surrogates."""
        for event in events:
            field = _FIELDS.get(type(event))
            if field is not None:
                yield self._join(event, field)
                continue
            if isinstance(event, ChoiceFinished):
                yield from self.flush()
            yield _without_surrogates(event)

    def flush(self) -> Iterable[StreamEvent]:
        """Yield a delta with U+FFFD for each half that is left."""
        halves, self._halves = list(self._halves.values()), {}
        yield from map(_without_surrogates, halves)

    def _join(self, event: Any, field: str) -> Any:
        key = (type(event), event.choice, getattr(event, "index", 0))
        half = self._halves.pop(key, None)
        text = (
            getattr(event, field) if half is None else getattr(half, field) + getattr(event, field)
        )
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._halves[key] = replace(event, **{field: text[-1]})
            text = text[:-1]
        return _without_surrogates(replace(event, **{field: text}))


def _without_surrogates(event: Any) -> Any:
    values = {name: getattr(event, name) for name in event.__dataclass_fields__}
    changed = {
        name: replace_surrogates(value)
        for name, value in values.items()
        if isinstance(value, str | dict | list)
    }
    return replace(event, **changed)
