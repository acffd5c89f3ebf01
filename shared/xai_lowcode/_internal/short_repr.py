"""Short reprs of values that may contain images and documents of megabytes."""

from dataclasses import fields
from typing import Any

from xai_lowcode._internal.values import Value

_MAX_LENGTH = 120


def truncate(text: str) -> str:
    """Return the beginning of a long string and its length, for printing."""
    return text if len(text) <= _MAX_LENGTH else f"{text[:_MAX_LENGTH]}… ({len(text):,} characters)"


class ShortReprMixin(Value):
    """Mixin for a dataclass with ``repr=False``: truncates long strings in its repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        instance: Any = self
        values = (
            f"{field.name}={_truncate_value(getattr(instance, field.name))!r}"
            for field in fields(instance)
        )
        return f"{type(self).__name__}({', '.join(values)})"


def _truncate_value(value: Any) -> Any:
    return truncate(value) if isinstance(value, str) else value
