"""JSON schemas of tools and response formats, brought to what xAI takes, with their meaning kept.

``cleaning`` has the steps. ``rules`` says what is changed in one schema object, ``references``
where a reference leads then, ``walking`` goes through all of them, ``widening`` looks after what a
limit left out does to the schemas around it, ``roots`` settles the root.
"""

from collections.abc import Mapping
from typing import Any

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.types.requests import ChatRequest, ResponseFormat, ToolSpec

import_before_fork("xai_lowcode.json_schema.sanitizer")


class SanitizedSchema(dict[str, Any]):
    """A schema that is clean already, so that cleaning it again costs nothing.

    A plain dict to everybody else. Whoever changes one must make a dict of it first.
    """


def sanitize_schema(schema: Mapping[str, Any], *, field: str, name: str) -> SanitizedSchema:
    """Brings a JSON schema to what xAI takes; the given one is not changed.

    Draft 7 and 2020-12 are read. ``null`` among the values of an enum becomes a branch of its own,
    booleans in the place of schemas become objects, ``items`` in array form ``prefixItems``,
    ``definitions`` ``$defs``, a reference at the root what it leads to; a root without a type gets
    ``"type": "object"``. A limit that xAI does not keep is told in the description instead, with a
    warning; so are ``not``, ``if`` and the "one" of ``oneOf`` around such a limit, since without it
    they would keep out what fits.

    Args:
        schema: The schema.
        field: The option it belongs to, ``"tools"`` or ``"response_format"``, for errors.
        name: Name of the tool or format, for errors.

    Returns:
        The clean schema; the very same if it is one.

    Raises:
        UsageError: The root is no object, a reference leads out of the schema, nowhere or through
            what is told in words, or something in the place of a schema is none.

    Example:
        >>> shades = {"properties": {"shade": {"enum": ["light", None]}}}
        >>> clean_schema(shades, field="tools", name="paint")["properties"]
        {'shade': {'anyOf': [{'enum': ['light']}, {'type': 'null'}]}}
    """
    if isinstance(schema, SanitizedSchema):
        return schema
    from xai_lowcode.json_schema.sanitizer import sanitize  # noqa: PLC0415 - many calls have no schema

    return SanitizedSchema(sanitize(schema, field=field, name=name))


def tool_parameters(tool: ToolSpec, request: ChatRequest) -> Mapping[str, Any]:
    """The parameters of a tool as they are sent."""
    if not request.clean_schemas:
        return tool.parameters
    return sanitize_schema(tool.parameters, field="tools", name=tool.name)


def response_schema(wish: ResponseFormat, request: ChatRequest) -> Mapping[str, Any] | None:
    """The schema of a response format as it is sent; None for any JSON object."""
    if wish.schema is None or not request.clean_schemas:
        return wish.schema
    return sanitize_schema(wish.schema, field="response_format", name=wish.name)
