"""Send tools under another name if xAI reserves theirs for a server-side tool.

xAI rejects some of these names. Of others the models do not generate calls: they take the tool for
the server-side one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from xai_lowcode.errors import BadRequestError
from xai_lowcode.types.messages import Message, Part, ToolCallPart
from xai_lowcode.types.requests import ChatRequest, NamedTool
from xai_lowcode.types.responses import ChatResponse

_KNOWN = frozenset({"web_search", "tool_search"})
_REJECTED = re.compile(r"function name\W+([\w-]+)\W+is reserved")


class ReservedNames:
    """The names that are reserved, as far as they are known to one client."""

    def __init__(self) -> None:
        self._names = _KNOWN

    def record(self, request: ChatRequest, error: BadRequestError) -> bool:
        """Record a name that xAI rejected; return whether to send the request again.

        Args:
            request: The request that failed.
            error: Its error.
        """
        rejected = _REJECTED.search(error.message)
        name = rejected[1] if rejected else ""
        if name in self._names or all(tool.name != name for tool in request.tools):
            return False
        self._names |= {name}
        return True

    def replace(self, request: ChatRequest) -> tuple[ChatRequest, Mapping[str, str]]:
        """Return the request to send, and a map of the names in it to those of the caller."""
        own = [tool.name for tool in request.tools]
        if self._names.isdisjoint(own):
            return request, {}
        sent: dict[str, str] = {}
        for name in own:
            if name in self._names:
                sent[name] = f"{name}_tool"
                while sent[name] in own:
                    sent[name] += "_"
        choice = request.tool_choice
        if isinstance(choice, NamedTool):
            choice = NamedTool(sent.get(choice.name, choice.name))
        renamed = replace(
            request,
            tools=tuple(
                replace(tool, name=sent.get(tool.name, tool.name)) for tool in request.tools
            ),
            tool_choice=choice,
            messages=tuple(_rename_calls(message, sent) for message in request.messages),
        )
        return renamed, {value: key for key, value in sent.items()}


def restore_response(response: ChatResponse, names: Mapping[str, str]) -> ChatResponse:
    """Return a response with the caller's names of the tools."""
    if not names:
        return response
    choices = (
        replace(choice, parts=_rename_parts(choice.parts, names)) for choice in response.choices
    )
    return replace(response, choices=tuple(choices))


def _rename_calls(message: Message, names: Mapping[str, str]) -> Message:
    if not any(isinstance(part, ToolCallPart) and part.name in names for part in message.parts):
        return message
    return replace(message, parts=_rename_parts(message.parts, names))


def _rename_parts(parts: Iterable[Part], names: Mapping[str, str]) -> tuple[Part, ...]:
    return tuple(
        replace(part, name=names.get(part.name, part.name))
        if isinstance(part, ToolCallPart)
        else part
        for part in parts
    )
