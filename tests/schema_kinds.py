"""Classes of each kind of schema, and a check that a sent schema keeps their meaning."""

import json
from collections.abc import Callable
from enum import Enum
from math import inf, nan
from typing import Any, Literal

from jsonschema import Draft202012Validator
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tests.core.schema_instances import vary


class Part(BaseModel):
    """A part that contains other parts."""

    name: str
    parts: list["Part"] = []
    spare: "Part | None" = None


class Address(BaseModel):
    """An address."""

    street: str
    country: Literal["at", None] = None  # noqa: PYI061 - null in an enum


class Company(BaseModel):
    """A company that uses one class in several fields."""

    home: Address
    office: Address
    others: dict[str, Address] = {}


class Closed(BaseModel):
    """A class without additional fields."""

    model_config = ConfigDict(extra="forbid")

    size: int = Field(ge=1, title="Size in cm")


class Unlimited(BaseModel):
    """A class with defaults that JSON cannot express."""

    most: float = inf
    ranges: list[dict[str, float]] = [{"least": -inf, "most": nan}]


class Shade(Enum):
    """A type that is not an object."""

    LIGHT = "light"
    DARK = "dark"


PART = {"name": "a", "parts": [{"name": "b", "parts": [], "spare": None}], "spare": None}
ADDRESS = {"street": "s", "country": "at"}
COMPANY = {"home": ADDRESS, "office": ADDRESS, "others": {"x": ADDRESS}}


def get_validator(reference: Any) -> Callable[[Any], bool]:
    """Return a function that validates JSON values by a type (strictly) or a JSON schema."""
    if isinstance(reference, dict):
        return lambda value: Draft202012Validator(reference).is_valid(value)
    adapter: TypeAdapter[Any] = TypeAdapter(reference)

    def is_valid(value: Any) -> bool:
        try:
            adapter.validate_json(json.dumps(value), strict=True)
        except ValidationError:
            return False
        return True

    return is_valid


def check_meaning(schema: Any, reference: Any, instance: Any) -> None:
    """Check that a sent schema accepts the objects that the type or the JSON schema accepts."""
    is_valid, sent = get_validator(reference), Draft202012Validator(schema)
    assert is_valid(instance)
    results = set()
    for value in vary(instance):
        # As xAI does: the root is an object.
        expected = isinstance(value, dict) and is_valid(value)
        assert sent.is_valid(value) == expected, value
        results.add(expected)
    assert results == {True, False}


def get_sent_schema(body: Any) -> Any:
    """Return the schema in a body of any API."""
    if "response_format" in body:
        return body["response_format"]["json_schema"]["schema"]
    if "text" in body:
        return body["text"]["format"]["schema"]
    sent = body["tools"][0].get("function", body["tools"][0])
    return sent.get("parameters", sent.get("input_schema"))
