"""The messages of a history as every API accepts them.

Tool results follow their calls, calls have unique ids, and documents of tool results are in a user
message. Frameworks' memories, other providers and people write histories that differ.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from xai_lowcode.types.messages import (
    FilePart,
    Message,
    Part,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import has_content


@dataclass(slots=True)
class _Call:
    """A tool call of the history.

    Attributes:
        part: The call.
        id: The id to send.
        result: Its result, with the position of its message; None if it was never answered.
    """

    part: ToolCallPart
    id: str
    result: tuple[int, ToolResultPart] | None = None


# Calls by position of their message; positions of messages and indices of parts.
_Matches = tuple[dict[int, list[_Call]], set[tuple[int, int]]]


def numbered_messages(
    messages: Sequence[Message], *, continues_stored: bool = False
) -> Iterable[tuple[int, Message]]:
    """Return the messages with their positions, in a form that xAI accepts.

    - Empty system messages, which frameworks send for no prompt, are left out.
    - Tool calls that were never answered are left out, such as those of a truncated response. The
      last message is sent as it is.
    - Results follow the message with their calls. A result belongs to the last call before it that
      has its id and no other result. One without a call is a user message, such as that of a call
      which was summarized, and a second result of a call.
    - Empty and repeated ids of calls and their results are replaced.
    - Documents in results are sent in a user message after the results: xAI describes the content
      of results as text and images, and elsewhere also as files.

    Args:
        messages: The messages.
        continues_stored: Whether the request continues a stored response, which may have the call
            of a result: one with an id of no call is sent as it is.
    """
    if _needs_change(messages):
        return _normalize(messages, continues_stored=continues_stored)
    return enumerate(messages)


def _needs_change(messages: Sequence[Message]) -> bool:
    """Return whether a history has tool calls or their results, or an empty system message."""
    for message in messages:
        role = message.role
        if role == "assistant":
            for part in message.parts:
                if type(part) is ToolCallPart:
                    return True
        elif role == "tool" or (role == "system" and not has_content(message)):
            return True
    return False


def _normalize(
    messages: Sequence[Message], *, continues_stored: bool
) -> Iterator[tuple[int, Message]]:
    calls, answers = _match_results(messages)
    documents: dict[int, tuple[Part, ...]] = {}
    for position, message in enumerate(messages):
        if message.role == "tool":
            for index, part in enumerate(message.parts):
                if (position, index) not in answers:
                    yield from _to_unmatched_result(
                        part, position, documents, has_call=continues_stored
                    )
            continue
        if documents:
            yield _to_user_message(documents)
            documents = {}
        if position in calls:
            yield position, _with_calls(message, calls[position], position == len(messages) - 1)
            for result_position, result in _get_results(calls[position]):
                yield result_position, _to_result(result, result_position, documents)
        elif message.role != "system" or has_content(message):
            yield position, message
    if documents:
        yield _to_user_message(documents)


def _match_results(messages: Sequence[Message]) -> _Matches:
    """Return the calls by position of their message, and where the results with a call are."""
    calls: dict[int, list[_Call]] = {}
    unanswered: dict[str, list[_Call]] = {}
    ids: set[str] = set()
    answers: set[tuple[int, int]] = set()
    for position, message in enumerate(messages):
        if message.role == "assistant":
            own: dict[str, list[_Call]] = {}
            for part in message.parts:
                if type(part) is ToolCallPart:
                    call_id = _get_unique_id(part, ids, position, unchanged=bool(message.items))
                    call = _Call(part, call_id)
                    calls.setdefault(position, []).append(call)
                    own.setdefault(part.id, []).append(call)
            # Results belong to the last message with the id, and there in order.
            unanswered |= own
        elif message.role == "tool":
            for index, part in enumerate(message.parts):
                if isinstance(part, ToolResultPart) and unanswered.get(part.call_id):
                    unanswered[part.call_id].pop(0).result = position, part
                    answers.add((position, index))
    return calls, answers


def _get_unique_id(call: ToolCallPart, ids: set[str], position: int, *, unchanged: bool) -> str:
    """Return the id to send for a call; ids of this package's responses stay, if there is one."""
    unique = call.id
    if not unique or (unique in ids and not unchanged):
        unique = f"{call.id or 'call'}_{position}_{len(ids)}"
    ids.add(unique)
    return unique


def _with_calls(message: Message, calls: Sequence[_Call], is_last: bool) -> Message:
    """Return a message with those of its calls that are sent, and their ids."""
    for call in calls:
        if call.id != call.part.id or not (is_last or call.result):
            break
    else:
        return message
    remaining = iter(calls)
    parts: list[Part] = []
    for part in message.parts:
        if type(part) is not ToolCallPart:
            parts.append(part)
        elif (call := next(remaining)).result or is_last:
            parts.append(replace(part, id=call.id))
    return replace(message, parts=tuple(parts))


def _get_results(calls: Iterable[_Call]) -> list[tuple[int, ToolResultPart]]:
    """Return the results of calls with the ids of their calls, in the order of the history."""
    results = []
    for call in calls:
        if call.result:
            position, part = call.result
            result = part if part.call_id == call.id else replace(part, call_id=call.id)
            results.append((position, result))
    results.sort(key=itemgetter(0))
    return results


def _to_unmatched_result(
    part: Part, position: int, documents: dict[int, tuple[Part, ...]], *, has_call: bool
) -> Iterator[tuple[int, Message]]:
    if not isinstance(part, ToolResultPart):
        yield position, Message("tool", (part,))  # Dialects refuse it.
    elif part.call_id and has_call:
        yield position, _to_result(part, position, documents)
    elif has_content(message := Message("user", part.content)):
        yield position, message


def _to_result(
    result: ToolResultPart, position: int, documents: dict[int, tuple[Part, ...]]
) -> Message:
    """Return the message of a result; its documents are moved to ``documents``, by position."""
    files = [part for part in result.content if isinstance(part, FilePart)]
    if files:
        documents[position] = (*documents.get(position, ()), *files)
        names = ", ".join(file.filename or file.url or file.mime_type or "file" for file in files)
        content = tuple(part for part in result.content if not isinstance(part, FilePart))
        note = TextPart(f"Documents in the next user message: {names}")
        result = replace(result, content=(*content, note))
    return Message("tool", (result,))


def _to_user_message(documents: dict[int, tuple[Part, ...]]) -> tuple[int, Message]:
    """Return the message with the documents of results, at the position of the last result."""
    parts = tuple(part for files in documents.values() for part in files)
    return max(documents), Message("user", parts)
