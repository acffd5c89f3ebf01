"""Constructors of the adapters' components, and signatures of their methods."""

import inspect
from collections.abc import Callable, Container
from functools import wraps
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import CoreSchema, core_schema

from xai_lowcode.errors import UsageError


class Unchecked:
    """Marks a field whose values this package validates itself; pydantic accepts any.

    Example:
        ``timeout: Annotated[Timeout | None, Unchecked] = None``
    """

    @staticmethod
    def __get_pydantic_core_schema__(_source: Any, _handler: Any) -> CoreSchema:
        return core_schema.any_schema()


_Method = TypeVar("_Method", bound=Callable[..., Any])


def store_signature(method: _Method) -> _Method:
    """Store the signature of a method that a framework inspects in each call.

    ``inspect.signature`` takes a fifth of the time then.
    """
    method.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return method


class _Factory:
    def __repr__(self) -> str:
        return "<factory>"


def define_constructor(cls: type[BaseModel]) -> None:
    """Order the fields of a component, and give it a constructor with their signature.

    The field with ``kw_only=False`` is first and may be positional, then those of ``cls``, of its
    bases, and of the framework. pydantic creates a signature no earlier than the schema, which
    these components do not create before their first instance.

    Args:
        cls: The class; called by its ``__pydantic_init_subclass__``.
    """
    fields = cls.model_fields
    introduced = _introduced(cls)
    ordered = sorted(fields, key=lambda name: (fields[name].kw_only is not False, introduced[name]))
    items = {name: fields[name] for name in ordered}
    fields.clear()
    fields.update(items)
    if "__init__" in vars(cls):
        return
    inherited = cls.__init__
    cls.__init__ = _constructor(  # type: ignore[method-assign]
        cls, getattr(inherited, "__wrapped__", inherited), ordered[0]
    )
    # The signature of a class has no self.
    (_self, *parameters) = inspect.signature(cls.__init__).parameters.values()
    cls.__signature__ = inspect.Signature(parameters, return_annotation=None)


def _constructor(
    cls: type[BaseModel], inherited: Callable[..., None], first: str
) -> Callable[..., None]:
    """Return an ``__init__`` that calls the inherited one with keyword arguments."""

    @wraps(inherited, assigned=("__doc__",), updated=())
    def __init__(self: Any, /, *args: Any, **kwargs: Any) -> None:  # noqa: N807 - replaces it
        try:
            if args:
                _check_positional(len(args), first, kwargs)
                kwargs[first] = args[0]
            inherited(self, **kwargs)
        except BaseException:
            # Error reporters show the variables of frames.
            args = ()
            kwargs.clear()
            raise

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    __init__.__module__ = cls.__module__
    kinds = inspect.Parameter
    parameters = [kinds("self", kinds.POSITIONAL_ONLY)]
    for name, field in cls.model_fields.items():
        default = _Factory() if field.default_factory else field.default
        parameters.append(
            kinds(
                name,
                kinds.POSITIONAL_OR_KEYWORD if name == first else kinds.KEYWORD_ONLY,
                default=kinds.empty if field.is_required() else default,
                annotation=field.annotation,
            )
        )
    __init__.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return __init__


def _check_positional(number: int, first: str, given: Container[str]) -> None:
    if number > 1:
        raise UsageError(f"{first}: the other arguments need their names.", field=first)
    if first in given:
        raise UsageError(f"{first}: it was passed twice, once without its name.", field=first)


def _introduced(cls: type[BaseModel]) -> dict[str, int]:
    """Return, for each field, the position in the MRO of the first class that introduces it."""
    models = [base for base in cls.__mro__ if issubclass(base, BaseModel)]
    positions: dict[str, int] = {}
    for position, base in reversed(list(enumerate(models))):
        inherited = {
            name
            for parent in base.__bases__
            if issubclass(parent, BaseModel)
            for name in parent.model_fields
        }
        positions.update(dict.fromkeys(base.model_fields.keys() - inherited, position))
    return positions
