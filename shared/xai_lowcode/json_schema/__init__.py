"""JSON schemas of tools and response formats, converted to the form that xAI accepts."""

from collections.abc import Mapping
from typing import Any

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.types.requests import ChatRequest, ResponseFormat, ToolSpec

import_before_fork("xai_lowcode.json_schema.sanitizer")


class SanitizedSchema(dict[str, Any]):
    """A sanitized schema, which ``sanitize_schema`` returns unchanged.

    Convert it to a plain dict before changing it.
    """


def sanitize_schema(schema: Mapping[str, Any], *, field: str, name: str) -> SanitizedSchema:
    """Convert a JSON schema of draft 7 or 2020-12 to the form that xAI accepts.

    ``null`` in an enum becomes a branch of a union, boolean schemas become objects, ``items`` in
    array form ``prefixItems``, and ``definitions`` ``$defs``. A reference at the root is resolved,
    and a root without a type gets ``"type": "object"``. A limit that xAI does not accept is moved
    to the description, with a warning; ``not``, ``oneOf`` and ``if`` around it are replaced by what
    they imply. No value that the schema accepts is excluded.

    Args:
        schema: The schema; it is not changed.
        field: The option that it belongs to, ``"tools"`` or ``"response_format"``, for errors.
        name: Name of the tool or response format, for errors.

    Returns:
        The sanitized schema; the same object if it already is one.

    Raises:
        UsageError: The root is not an object, a ``$ref`` is unresolvable, or a subschema is neither
            an object nor a boolean.

    Example:
        >>> shades = {"properties": {"shade": {"enum": ["light", None]}}}
        >>> sanitize_schema(shades, field="tools", name="paint")["properties"]
        {'shade': {'anyOf': [{'enum': ['light']}, {'type': 'null'}]}}
    """
    if isinstance(schema, SanitizedSchema):
        return schema
    # Imported on first use: many requests have no schema.
    from xai_lowcode.json_schema.sanitizer import sanitize  # noqa: PLC0415

    return SanitizedSchema(sanitize(schema, field=field, name=name))


def relax_schema(schema: Mapping[str, Any], *, field: str, name: str) -> SanitizedSchema:
    """Convert a JSON schema like ``sanitize_schema``, without constraints that xAI may reject.

    xAI has rejected ``pattern``, ``format``, and strings with a slash in ``enum``, in some months.
    They are moved to the description, with a warning.

    Args:
        schema: The schema; it is not changed.
        field: The option that it belongs to, for errors.
        name: Name of the tool or response format, for errors.

    Example:
        >>> kinds = {"properties": {"accept": {"enum": ["text/html", "*/*"]}}}
        >>> relax_schema(kinds, field="tools", name="fetch")["properties"]  # doctest: +SKIP
        {'accept': {'description': 'One of ["text/html","*/*"].'}}
    """
    from xai_lowcode.json_schema.sanitizer import sanitize  # noqa: PLC0415 - rarely needed

    return SanitizedSchema(sanitize(schema, field=field, name=name, relaxed=True))


def tool_parameters(tool: ToolSpec, request: ChatRequest) -> Mapping[str, Any]:
    """Return the parameters of a tool as they are sent."""
    if not request.clean_schemas:
        return tool.parameters
    return sanitize_schema(tool.parameters, field="tools", name=tool.name)


def response_schema(
    response_format: ResponseFormat, request: ChatRequest
) -> Mapping[str, Any] | None:
    """Return the schema of a response format as it is sent; None for any JSON object."""
    if response_format.schema is None or not request.clean_schemas:
        return response_format.schema
    return sanitize_schema(
        response_format.schema, field="response_format", name=response_format.name
    )
