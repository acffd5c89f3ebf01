"""What several results cost together, as ``generate`` tells it of its list of conversations."""

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any


def totals(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The ``llm_output`` of several results: their model, and their usage summed up.

    Example:
        >>> one = {"model_name": "grok-4.7", "token_usage": {"total_tokens": 2}}
        >>> totals([one, None, one])
        {'model_name': 'grok-4.7', 'token_usage': {'total_tokens': 4}}
    """
    told = [output for output in outputs if output]
    usages = [output["token_usage"] for output in told if output.get("token_usage")]
    combined: dict[str, Any] = {"model_name": told[0].get("model_name", "")} if told else {}
    return {**combined, "token_usage": reduce(_plus, usages)} if usages else combined


def _plus(one: Any, other: Any) -> Any:
    """Numbers are added, details member by member; what is neither stays as it was first told."""
    match one, other:
        case Mapping(), Mapping():
            both = {name: _plus(one[name], other[name]) for name in one.keys() & other.keys()}
            return {**one, **other, **both}
        case ((int() | float()), (int() | float())):
            return one + other
        case _:
            return other if one is None else one
