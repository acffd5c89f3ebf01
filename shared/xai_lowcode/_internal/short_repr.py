"""Values that print in a line, although they may hold pictures and documents of megabytes."""

from dataclasses import fields
from typing import Any

_LONGEST = 120


def truncate(text: str) -> str:
    """A text as it may be printed: its beginning, and how long it is."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


class ShortReprMixin:
    """A dataclass that is made with ``repr=False`` and cuts its long texts when it is printed."""

    __slots__ = ()

    def __repr__(self) -> str:
        own: Any = self
        facts = (
            f"{fact.name}={_truncate_value(getattr(own, fact.name))!r}" for fact in fields(own)
        )
        return f"{type(self).__name__}({', '.join(facts)})"


def _truncate_value(value: Any) -> Any:
    return truncate(value) if isinstance(value, str) else value
