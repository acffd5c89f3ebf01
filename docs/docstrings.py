"""Griffe extensions for the API reference.

Docstrings use headed blocks after LangChain's convention (`Setup:`, `Key init args — client
params:`); for the site these become paragraphs, lists and code. Methods that wrap functions
(`tokenize = _sync_method(methods.tokenize)`) are shown with the functions' signatures.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import griffe

CORE = "xai_lowcode"
SOURCES = Path(__file__).parents[1] / "shared"
# The packages of the modules whose functions are wrapped.
MODULES = {
    "embeddings": "api.embeddings",
    "files": "api.files",
    "methods": "api.methods",
    "server_tools": "chat.server_tools",
}
WRAPPED = re.compile(rf"(?P<wrapper>_\w+)\((?P<module>{'|'.join(MODULES)})\.(?P<name>\w+)\)")
# What the adapters' versions of the server-side tools return.
TOOL_TYPES = {"langchain_xai_lowcode": "dict[str, Any]", "llama_index_xai_lowcode": "XAIServerTool"}

_BLOCK = re.compile(r"^(?P<head>\S[^\n]*):\n(?P<body>(?:[ ]{4}[^\n]*\n|\n)+)", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\w+(?:, \w+)*(?:, …)?): ", re.MULTILINE)
_SECTIONS = frozenset({"Args", "Attributes", "Raises", "Returns", "Yields", "Examples", "Note"})


def convert_blocks(text: str, *, arguments: bool = True) -> str:
    """Convert the headed blocks of a docstring to Markdown.

    Args:
        text: The docstring.
        arguments: Whether `Args` describes the parameters of a signature.
    """

    def convert(block: re.Match[str]) -> str:
        head, body = block["head"], dedent(block["body"]).strip("\n")
        if head in _SECTIONS and (arguments or head != "Args"):
            return block[0]
        if head == "Example" and ">>>" in body:
            return f"Examples:\n{block['body']}"
        if "args" in head.lower():
            body = _ARGUMENT.sub(r"- `\1`: ", body)
        return f"**{head}**\n\n{body}\n\n"

    return _BLOCK.sub(convert, text + "\n").strip("\n")


class Blocks(griffe.Extension):
    """Convert every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_kwargs: Any) -> None:
        """Convert the docstring of an object."""
        if obj.docstring:
            has_signature = (
                not obj.is_class or "__init__" in obj.members or "dataclass" in obj.labels
            )
            obj.docstring.value = convert_blocks(obj.docstring.value, arguments=has_signature)


class Wrapped(griffe.Extension):
    """Replace wrapped functions by functions with the original signatures."""

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Replace the wrapped functions of a package."""
        core = pkg if pkg.name == CORE else griffe.load(CORE, search_paths=[SOURCES])
        for attribute in list(_attributes(pkg)):
            if match := WRAPPED.fullmatch(str(attribute.value)):
                function = core[MODULES[match["module"]]].functions[match["name"]]
                unwrapped = _unwrap(attribute, match["wrapper"], function, TOOL_TYPES.get(pkg.name))
                attribute.parent.set_member(attribute.name, unwrapped)


def _attributes(holder: griffe.Module | griffe.Class) -> Iterator[griffe.Attribute]:
    for member in holder.members.values():
        if isinstance(member, griffe.Attribute):
            yield member
        elif isinstance(member, griffe.Module | griffe.Class):
            yield from _attributes(member)


def _unwrap(
    attribute: griffe.Attribute, wrapper: str, function: griffe.Function, returns: str | None
) -> griffe.Function:
    parameters = list(function.parameters)
    if returns is None:
        # The client executes the flow: it replaces the context, and returns the flow's result.
        parameters[0] = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
        returns = getattr(function.returns, "slice", None)
    unwrapped = griffe.Function(
        attribute.name,
        parameters=griffe.Parameters(*parameters),
        returns=returns,
        lineno=attribute.lineno,
        endlineno=attribute.endlineno,
        parent=attribute.parent,
    )
    if "async" in wrapper:
        unwrapped.labels.add("async")
    # Examples print the result of the wrapped function, not of the wrapper.
    text = function.docstring.value.partition("Example:")[0] if function.docstring else ""
    text = re.sub(r"^ +context: .*\n", "", text, flags=re.MULTILINE)
    unwrapped.docstring = griffe.Docstring(
        convert_blocks(text.strip()), parser="google", parent=unwrapped
    )
    return unwrapped
