"""Griffe extensions for the API reference.

Docstrings use headed blocks after LangChain's convention (`Setup:`, `Key init args — client
params:`); for the site these become paragraphs, lists and code. Methods that wrap functions
(`tokenize = _sync_method(methods.tokenize)`) are shown with the functions' signatures. Members that
are not for users are left out, and so are fields, which the page of fields describes. The async
version of a method is named in the text of the sync one.
"""

import re
from collections.abc import Container, Iterator
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
# The base class of all components, whose fields are on a page of their own.
COMPONENT_BASE = "ClientFields"
# Members that the frameworks, the emulator's handlers or this package call.
INTERNAL = {
    "class_name",
    "is_lc_serializable",
    "lc_attributes",
    "lc_secrets",
    "redact_token",
    "render",
    "to_payload",
    "describe_value",
    "unexpected_response_error",
    "MAX_MESSAGE",
    "MAX_VALUE",
    "ChatRequest.given",
    "ChatRequest.is_stored",
    "Emulator.add_file",
    "Emulator.create_file",
    "Emulator.next_fault",
    "Emulator.next_sequence",
    "Emulator.publish_image",
    "ImageBatch.describe",
    "Settings.backend",
    "Settings.httpx_timeout",
    "Settings.known_token",
    "Settings.of",
    "AsyncAPIClient.execute",
    "AsyncAPIClient.stream",
    "SyncAPIClient.execute",
    "SyncAPIClient.stream",
    "Upload.open",
    "Upload.read",
    "Usage.to_token_usage",
    "XAIUsageCallbackHandler.ignore_custom_event",
    "XAIUsageCallbackHandler.on_chain_end",
    "XAIUsageCallbackHandler.on_chain_start",
    "XAIUsageCallbackHandler.on_llm_end",
    "XAIUsageCallbackHandler.on_tool_end",
    "XAIUsageCallbackHandler.on_tool_start",
    "XAIUsageEventHandler.handle",
}

# The docstring of an async method, or of a class of async methods.
_ASYNC_VERSION = re.compile(r"[^\n]*; see ``(?P<sync>\w+)``\.\s*")

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


class Members(griffe.Extension):
    """Leave out fields, internal members, and async versions of documented methods."""

    def on_package(self, *, pkg: griffe.Module, **_kwargs: Any) -> None:
        """Remove members of a package's modules and classes."""
        for holder in list(_holders(pkg)):
            is_component = isinstance(holder, griffe.Class) and is_component_base(holder)
            repeated = _members_of_sync_class(holder)
            if _has_base(holder, COMPONENT_BASE) and holder.docstring:
                summary, break_, rest = holder.docstring.value.partition("\n\n")
                holder.docstring.value = f"{summary} Arguments: [fields](fields.md).{break_}{rest}"
            for name, member in list(holder.members.items()):
                if member.is_alias:
                    continue
                is_field = is_component and member.is_attribute and "property" not in member.labels
                if is_field or is_internal(member) or name in repeated:
                    holder.del_member(name)
                elif isinstance(holder, griffe.Class):
                    _fold_async_version(holder, member)


def is_internal(member: griffe.Object) -> bool:
    """Return whether users do not call a member: it is a hook, or a special method."""
    qualified_name = ".".join(member.path.rsplit(".", 2)[-2:])
    is_special = member.is_function and member.name.startswith("__") and member.name != "__init__"
    return is_special or not {member.name, qualified_name}.isdisjoint(INTERNAL)


def is_component_base(cls: griffe.Class) -> bool:
    """Return whether a class is a component of an adapter, or a base class with its fields."""
    root = cls.package
    components = [each for each in _holders(root) if _has_base(each, COMPONENT_BASE)]
    return cls.name == COMPONENT_BASE or any(
        each is cls or _has_base(each, cls.name) for each in components
    )


def _has_base(holder: griffe.Module | griffe.Class, name: str) -> bool:
    return isinstance(holder, griffe.Class) and any(base.name == name for base in holder.mro())


def _holders(holder: griffe.Module | griffe.Class) -> Iterator[griffe.Module | griffe.Class]:
    yield holder
    for member in holder.members.values():
        if isinstance(member, griffe.Module | griffe.Class):
            yield from _holders(member)


def _members_of_sync_class(holder: griffe.Module | griffe.Class) -> Container[str]:
    text = holder.docstring.value if holder.docstring else ""
    match = _ASYNC_VERSION.fullmatch(text) if isinstance(holder, griffe.Class) else None
    return holder.parent.members[match["sync"]].members if match else ()


def _fold_async_version(cls: griffe.Class, member: griffe.Object) -> None:
    match = _ASYNC_VERSION.fullmatch(member.docstring.value) if member.docstring else None
    sync = match and cls.members.get(match["sync"])
    if sync and sync.docstring:
        cls.del_member(member.name)
        summary, break_, rest = sync.docstring.value.partition("\n\n")
        sync.docstring.value = f"{summary} Async: ``{member.name}``.{break_}{rest}"


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
