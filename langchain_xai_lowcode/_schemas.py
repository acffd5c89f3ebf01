"""Read names and JSON schemas of everything that LangChain takes as a tool or schema.

LangChain's own converter replaces references by what they refer to: a recursive class becomes
``{}``, and a class that is used often is repeated. These schemas keep ``$defs``.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from textwrap import dedent
from types import EllipsisType, UnionType
from typing import (
    Annotated,
    Any,
    ForwardRef,
    Literal,
    NewType,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from langchain_core.tools import BaseTool, Tool, create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_function
from pydantic import BaseModel, Field, create_model
from typing_extensions import ReadOnly, TypeAliasType, get_type_hints, is_typeddict

from xai_lowcode.errors import UsageError
from xai_lowcode.json_schema.sources import NamedSchema, read_mapping, read_type

_QUALIFIERS: frozenset[Any] = frozenset({Annotated, Required, NotRequired, ReadOnly})
# Those of typing are another class, from Python 3.12 to 3.13.
_NAMED_TYPES = (NewType, TypeAliasType, getattr(typing, "TypeAliasType", TypeAliasType))
# Types of defaults in LangChain's form of Annotated.
_PLAIN = (EllipsisType, str, int, float, bool, list, dict, type(None))


def read_schema(source: Any, *, field: str) -> NamedSchema:
    """Return the schema of a tool or of structured output, of any kind that LangChain supports.

    Args:
        source: A pydantic class, TypedDict, dataclass, other type, function, LangChain tool, JSON
            schema, or a tool or response format of OpenAI, Anthropic, Bedrock or MCP.
        field: The option that it belongs to, for errors.

    Raises:
        UsageError: It is none of these, is a lambda, or has a type that JSON cannot express.
    """
    if isinstance(source, Mapping):
        if (named := read_mapping(source)) is not None:
            return named
    elif isinstance(source, BaseTool):
        return _read_tool(source)
    elif isinstance(parameters := getattr(source, "inputSchema", None), Mapping):
        return NamedSchema(source.name, source.description or "", parameters)
    elif is_type(source):
        return read_type(replace_typed_dicts(source))
    elif callable(source) and hasattr(source, "__name__"):
        return _read_function(source, field=field)
    raise UsageError(
        f"{field}: {source!r} is not a tool or schema.",
        field=field,
        hint="Pass a class, a function, a tool, or a JSON schema with a title.",
    )


def is_type(source: Any) -> bool:
    """Return whether pydantic, rather than LangChain, generates the schema of a value."""
    return (
        isinstance(source, (type, *_NAMED_TYPES))
        or get_origin(source) is not None
        or is_typeddict(source)
    )


def _read_tool(tool: BaseTool) -> NamedSchema:
    if isinstance(tool, Tool) and not tool.args_schema:
        # One unnamed argument, by LangChain's convention.
        function = convert_to_openai_function(tool)
        return NamedSchema(tool.name, tool.description, function["parameters"])
    arguments = tool.tool_call_schema
    if isinstance(arguments, Mapping):
        parameters = {k: v for k, v in arguments.items() if k not in {"title", "description"}}
        return NamedSchema(tool.name, tool.description, parameters)
    return NamedSchema(tool.name, tool.description, read_type(arguments).schema)


def _read_function(function: Callable[..., Any], *, field: str) -> NamedSchema:
    if function.__name__ == "<lambda>":
        raise UsageError(
            f"{field}: a lambda has no name.",
            field=field,
            hint="Define a function, or pass a tool with a name.",
        )
    arguments = create_schema_from_function(
        function.__name__,
        function,
        filter_args=(),
        parse_docstring=True,
        error_on_invalid_docstring=False,
        include_injected=False,
    )
    return NamedSchema(function.__name__, arguments.__doc__ or "", read_type(arguments).schema)


# --- TypedDicts ---------------------------------------------------------------------------------


def replace_typed_dicts(source: Any) -> Any:
    """Replace the TypedDicts in a type by pydantic classes.

    They have the descriptions and defaults of LangChain's ``Annotated[type, default,
    "description"]`` and of Google style docstrings, which pydantic ignores. Also, pydantic rejects
    ``typing.TypedDict`` before Python 3.12.
    """
    names: dict[Any, str] = {}
    models: dict[str, type[BaseModel]] = {}

    def refer(typed_dict: Any) -> ForwardRef:
        if typed_dict not in names:
            name = names[typed_dict] = f"TypedDict{len(names)}"
            models[name] = _create_model(typed_dict, refer)
        return ForwardRef(names[typed_dict])

    _replace(source, refer)
    for model in models.values():
        model.model_rebuild(_types_namespace=models)
    return _replace(source, lambda typed_dict: models[names[typed_dict]])


def _replace(source: Any, convert: Callable[[Any], Any]) -> Any:
    """Return a type with its TypedDicts converted."""
    if is_typeddict(source):
        return convert(source)
    origin: Any = get_origin(source)
    args = get_args(source)
    if origin is None or origin is Literal:
        return source
    if origin is Annotated:
        return Annotated[(_replace(args[0], convert), *args[1:])]
    replaced = tuple(_replace(arg, convert) for arg in args)
    if replaced == args:
        return source
    return (Union if origin is UnionType else origin)[replaced]


def _create_model(typed_dict: Any, convert: Callable[[Any], Any]) -> type[BaseModel]:
    hints = get_type_hints(typed_dict, include_extras=True)
    descriptions = _read_docstring(typed_dict)
    fields: dict[str, Any] = {}
    for i, (key, hint) in enumerate(hints.items()):
        # Keys of a TypedDict need not be names of fields.
        options: dict[str, Any] = {"alias": key}
        required = key in typed_dict.__required_keys__
        metadata: tuple[Any, ...] = ()
        while (origin := _get_qualifier(hint)) is not None:
            if origin is Annotated:
                known = _read_annotation(hint.__metadata__)
                options |= known
                metadata = () if known else hint.__metadata__
            elif origin is not ReadOnly:
                required = origin is Required
            hint = get_args(hint)[0]  # noqa: PLW2901 - from the outside in
        if not required and "default" not in options:
            options["default_factory"] = dict
        if key in descriptions:
            options["description"] = descriptions[key]
        replaced = _replace(hint, convert)
        fields[f"field{i}"] = Annotated[(replaced, *metadata, Field(**options))]
    return create_model(typed_dict.__name__, __doc__=descriptions.get(""), **fields)


def _get_qualifier(hint: Any) -> Any:
    origin: Any = get_origin(hint)
    return origin if origin in _QUALIFIERS else None


def _read_annotation(metadata: tuple[Any, ...]) -> dict[str, Any]:
    """Return the default and description of LangChain's ``Annotated``; empty for other metadata."""
    match metadata:
        case (str(description),):
            return {"description": description}
        case (default,) | (default, str() | None) if isinstance(default, _PLAIN):
            options = {} if default is ... else {"default": default}
            return {**options, "description": metadata[1] if len(metadata) > 1 else None}
        case _:
            return {}


def _read_docstring(typed_dict: Any) -> dict[str, str]:
    """Return the descriptions of a Google style docstring by key, and its own with the key ''."""
    documentation, _, arguments = f"\n{inspect.cleandoc(typed_dict.__doc__ or '')}".partition(
        "\nArgs:\n"
    )
    descriptions: dict[str, str] = {"": documentation.strip()}
    key = ""
    for line in dedent(arguments.partition("\n\n")[0]).splitlines():
        name, colon, text = line.partition(":")
        if key and line[:1].isspace():
            descriptions[key] += f" {line.strip()}"
        elif colon:
            key = name.partition(" (")[0].strip()
            descriptions[key] = text.strip()
    return descriptions
