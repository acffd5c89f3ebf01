"""Unvalidated copies of a validated pydantic model, for streams that create hundreds of chunks.

Validation of each chunk would cost more than the rest of its processing. Only values that the
adapters created themselves go into a copy.
"""

from typing import Any, Generic, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


class Blank(Generic[M]):
    """A form to be filled in.

    Args:
        model: An object of which all copies have what they are not given, except that lists and
            dicts are empty ones of their own.

    Example:
        >>> from pydantic import BaseModel
        >>> class Chunk(BaseModel):
        ...     text: str = ""
        ...     facts: dict[str, str] = {}
        >>> Blank(Chunk()).filled(text="Hello")
        Chunk(text='Hello', facts={})
    """

    def __init__(self, model: M) -> None:
        # Made as pickle makes them, which needs nothing of pydantic's but its word to pickle.
        self._kind = type(model)
        self._state = model.__getstate__()
        self._fields = self._state["__dict__"]
        self._given = self._state["__pydantic_fields_set__"]
        # Private attributes and extra ones, of the few models that have any.
        rest = ("__pydantic_private__", "__pydantic_extra__")
        self._more = [name for name in rest if self._state[name] is not None]
        self._holders = [
            (name, type(held))
            for name, held in self._fields.items()
            if isinstance(held, list | dict)
        ]

    def filled(self, **fields: Any) -> M:
        """A copy that holds these fields, unchecked, and shares nothing with another."""
        values = {**self._fields}
        for name, kind in self._holders:
            values[name] = kind()
        values.update(fields)
        given = self._given | fields.keys()
        state = {**self._state, "__dict__": values, "__pydantic_fields_set__": given}
        for name in self._more:
            state[name] = {**state[name]}
        made = self._kind.__new__(self._kind)
        made.__setstate__(state)
        return made
