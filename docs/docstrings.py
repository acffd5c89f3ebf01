"""The packages' code as the reference shows it: docstrings in parts, and what wrappers make.

The packages write headed blocks of their own kind (`Setup:`, `Key init args — client params:`),
after LangChain's custom; for the site these become paragraphs, lists and code. Methods that are
made from functions (`tokenize = _method(endpoints.tokenize)`) are shown with their signatures.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import griffe

CORE = "xai_lowcode"
SOURCES = Path(__file__).parents[1] / "shared"
ANSWERS = {"_for_langchain": "dict[str, Any]", "_for_llama_index": "XAIServerTool"}
MADE = re.compile(
    r"(?P<wrapper>_method|_coroutine|_for_langchain|_for_llama_index)"
    r"\((?P<module>\w+)\.(?P<name>\w+)\)"
)

_BLOCK = re.compile(r"^(?P<head>\S[^\n]*):\n(?P<body>(?:[ ]{4}[^\n]*\n|\n)+)", re.MULTILINE)
_ARGUMENT = re.compile(r"^(\w+(?:, \w+)*(?:, …)?): ", re.MULTILINE)
_KNOWN = frozenset({"Args", "Attributes", "Raises", "Returns", "Yields", "Examples", "Note"})


def prepared(text: str, *, arguments: bool = True) -> str:
    """Rewrites the blocks of one docstring.

    Args:
        text: The docstring.
        arguments: Whether its arguments are those of a signature.
    """

    def rewritten(block: re.Match[str]) -> str:
        head, body = block["head"], dedent(block["body"]).strip("\n")
        if head in _KNOWN and (arguments or head != "Args"):
            return block[0]
        if head == "Example" and ">>>" in body:
            return f"Examples:\n{block['body']}"
        if "args" in head.lower():
            body = _ARGUMENT.sub(r"- `\1`: ", body)
        return f"**{head}**\n\n{body}\n\n"

    return _BLOCK.sub(rewritten, text + "\n").strip("\n")


class Blocks(griffe.Extension):
    """Rewrites every docstring before it is parsed."""

    def on_instance(self, *, obj: griffe.Object, **_kwargs: Any) -> None:
        """Rewrites one."""
        if obj.docstring:
            own = not obj.is_class or "__init__" in obj.members or "dataclass" in obj.labels
            obj.docstring.value = prepared(obj.docstring.value, arguments=own)


class Wrapped(griffe.Extension):
    """Shows functions that are made by wrapping others, with the signatures of the others."""

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Looks for them in a whole package and puts functions into their places."""
        core = pkg if pkg.name == CORE else griffe.load(CORE, search_paths=[SOURCES])
        for attribute in list(_attributes(pkg)):
            if made := MADE.fullmatch(str(attribute.value)):
                function = core[made["module"]].functions[made["name"]]
                shown = _shown(attribute.name, made["wrapper"], function, attribute)
                attribute.parent.set_member(attribute.name, shown)


def _attributes(holder: griffe.Module | griffe.Class) -> Iterator[griffe.Attribute]:
    for member in holder.members.values():
        if isinstance(member, griffe.Attribute):
            yield member
        elif isinstance(member, griffe.Module | griffe.Class):
            yield from _attributes(member)


def _shown(
    name: str, wrapper: str, function: griffe.Function, member: griffe.Attribute
) -> griffe.Function:
    kept, returns = list(function.parameters), ANSWERS.get(wrapper)
    if returns is None:
        # A flow that a client drives: the client is the session, the flow's result is returned.
        kept[0] = griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
        returns = getattr(function.returns, "slice", None)
    shown = griffe.Function(
        name,
        parameters=griffe.Parameters(*kept),
        returns=returns,
        lineno=member.lineno,
        endlineno=member.endlineno,
        parent=member.parent,
    )
    if wrapper == "_coroutine":
        shown.labels.add("async")
    # What examples print is the wrapped function's answer, not the wrapper's.
    text = function.docstring.value.partition("Example:")[0] if function.docstring else ""
    text = re.sub(r"^ +session: .*\n", "", text, flags=re.MULTILINE)
    shown.docstring = griffe.Docstring(prepared(text.strip()), parser="google", parent=shown)
    return shown
