"""Tool calls of a response: which are complete and may be run, and ids that are unique.

A response that ends with ``length`` or ``content_filter`` may end inside a tool call. Such a call,
and one whose arguments are not a JSON object, must not be run: repaired or missing arguments would
be others than the model meant.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from xai_lowcode._internal import json
from xai_lowcode.types.messages import Part, ToolCallPart

_TRUNCATION_ERRORS = {
    "length": "The response reached max_tokens before the tool call was complete. Set max_tokens"
    " higher.",
    "content_filter": "xAI's content filter ended the response before the tool call was complete.",
}


class ParsedToolCall(NamedTuple):
    """A tool call of a response.

    Attributes:
        call: The call.
        arguments: Its arguments; None if it must not be run.
        error: Why it must not be run; empty if it may.
    """

    call: ToolCallPart
    arguments: dict[str, Any] | None
    error: str = ""


def parse_tool_calls(calls: Iterable[ToolCallPart], finish_reason: str) -> list[ParsedToolCall]:
    """Parse the arguments of tool calls.

    Args:
        calls: The tool calls of one choice.
        finish_reason: The finish reason of the choice.

    Example:
        >>> call = ToolCallPart("c1", "pay", '{"amount": 12')
        >>> parse_tool_calls([call], "length")[0].error
        'The response reached max_tokens before the tool call was complete. Set max_tokens higher.'
    """
    truncation_error = _TRUNCATION_ERRORS.get(finish_reason, "")
    return [_parse_tool_call(call, truncation_error) for call in calls]


def _parse_tool_call(call: ToolCallPart, truncation_error: str) -> ParsedToolCall:
    if truncation_error and not call.arguments.strip():
        return ParsedToolCall(call, None, truncation_error)
    try:
        return ParsedToolCall(call, json.parse_arguments(call.arguments))
    except json.JSONDecodeError as error:
        reason = f"The arguments are not a valid JSON object: {error}"
        return ParsedToolCall(call, None, truncation_error or reason)


def invalidating_suffix(arguments: str) -> str:
    """Return a suffix that makes incomplete arguments invalid for parsers that repair JSON.

    LangChain completes the arguments of streamed tool calls. It gives up at a closing bracket that
    does not match.

    Example:
        >>> invalidating_suffix('{"text": "one')
        '"]'
    """
    in_string, is_escaped, brackets = False, False, ["}"]
    for character in arguments:
        if in_string:
            if is_escaped:
                is_escaped = False
            elif character == "\\":
                is_escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            brackets.append(character)
        elif character in "]}" and len(brackets) > 1:
            brackets.pop()
    mismatch = "}" if brackets[-1] == "[" else "]"
    return ("\\" if is_escaped else "") + ('"' if in_string else "") + mismatch


class ToolCallIds:
    """Assigns ids to the tool calls of one choice, so that each call has one of its own.

    Frameworks match results to calls by id. Services repeat ids, or leave them empty.
    """

    def __init__(self) -> None:
        self._assigned: set[str] = set()

    def assign(self, call_id: str, response_id: str) -> str:
        """Return the id of the next call: its own, or a generated one if that is not unique.

        Args:
            call_id: The id that the service sent; may be empty.
            response_id: Id of the response, which makes generated ids unique in a conversation.
        """
        unique = call_id
        if not call_id or call_id in self._assigned:
            unique = f"{call_id or 'call'}_{response_id}_{len(self._assigned)}"
        self._assigned.add(unique)
        return unique


def with_unique_ids(parts: Iterable[Part], response_id: str) -> tuple[Part, ...]:
    """Return the parts of one choice with a unique id for each tool call."""
    ids = ToolCallIds()
    unique: list[Part] = []
    for part in parts:
        if isinstance(part, ToolCallPart):
            call_id = ids.assign(part.id, response_id)
            unique.append(part if part.id == call_id else replace(part, id=call_id))
        else:
            unique.append(part)
    return tuple(unique)
