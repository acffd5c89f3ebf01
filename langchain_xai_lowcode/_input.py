"""LangChain's messages as ours: one small function for each kind of content block.

The way back, from replies to messages, is in ``_replies``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_xai_lowcode._output import get_items
from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import (
    ROLES,
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

Block = Mapping[str, Any]


def to_messages(messages: Sequence[BaseMessage]) -> list[Message]:
    """LangChain's messages as ours; never changes them.

    Raises:
        UsageError: A message or a part of it has no counterpart; ``field`` names the place.
    """
    return [_to_message(message, position) for position, message in enumerate(messages)]


def _to_message(message: BaseMessage, position: int) -> Message:
    read = _MESSAGES.get(type(message))
    if read is None:
        kinds = (kind for kind in _MESSAGES if isinstance(message, kind))
        read = _MESSAGES.get(next(kinds, BaseMessage), _unsupported_block_error)
    return read(message, position)


def _from_human(message: HumanMessage, position: int) -> Message:
    return Message("user", _to_parts(message.content, position), message.name)


def _from_system(message: SystemMessage, position: int) -> Message:
    return Message("system", _to_parts(message.content, position))


def _from_ai(message: AIMessage, position: int) -> Message:
    items, form = get_items(message.additional_kwargs)
    return Message("assistant", _to_answer(message, position), items=items, dialect=form)


def _from_tool(message: ToolMessage, position: int) -> Message:
    content = _to_parts(message.content, position)
    return Message("tool", (ToolResultPart(message.tool_call_id, content),))


def _from_role(message: ChatMessage, position: int) -> Message:
    if message.role not in ROLES - {"tool"}:
        return _unsupported_block_error(message, position)
    role: Any = message.role
    return Message(role, _to_parts(message.content, position))


def _unsupported_block_error(message: BaseMessage, position: int) -> Message:
    raise UsageError(
        f"{_path(position)}: a {type(message).__name__} cannot be sent to Grok.",
        field=_path(position),
        hint="Use system, human, AI and tool messages.",
    )


_MESSAGES: dict[type[BaseMessage], Callable[[Any, int], Message]] = {
    HumanMessage: _from_human,
    AIMessage: _from_ai,
    ToolMessage: _from_tool,
    SystemMessage: _from_system,
    ChatMessage: _from_role,
}


def _path(position: int) -> str:
    return f"messages[{position}]"


# --- what people, systems and tools say ---------------------------------------------------------


def _to_parts(content: Any, position: int) -> tuple[TextPart | ImagePart | FilePart, ...]:
    if isinstance(content, str):
        return (TextPart(content),)
    place = _path(position)
    return tuple(
        TextPart(block) if isinstance(block, str) else _to_part(block, f"{place}.content[{i}]")
        for i, block in enumerate(content)
    ) or (TextPart(""),)


def _to_part(block: Block, place: str) -> TextPart | ImagePart | FilePart:
    if block.get("type") == "non_standard" and isinstance(block.get("value"), Mapping):
        block = block["value"]
    read = _BLOCKS.get(block.get("type", ""))
    if read is None:
        raise UsageError(
            f"{place}: Grok cannot be given a block of type {block.get('type')!r}.",
            field=place,
            hint=f"Blocks that can be sent: {', '.join(sorted(_BLOCKS))}.",
        )
    return read(block, place)


def _from_text(block: Block, place: str) -> TextPart:
    text = block.get("text")
    if not isinstance(text, str):
        raise UsageError(f"{place}: a text block without text.", field=place)
    return TextPart(text)


def _from_image_url(block: Block, place: str) -> ImagePart:
    """OpenAI's two forms: the address in an object, or beside a file id and a detail."""
    image = block.get("image_url")
    member = image if isinstance(image, Mapping) else {**block, "url": image}
    if not (member.get("url") or member.get("file_id")):
        raise UsageError(f"{place}: a picture without a URL or a file_id.", field=place)
    return ImagePart(member.get("url"), member.get("file_id"), member.get("detail"))


def _from_image(block: Block, place: str) -> ImagePart:
    url, file_id, data, mime_type = _source(block)
    if data is not None:
        return ImagePart(f"data:{mime_type or 'image/jpeg'};base64,{data}")
    if not (url or file_id):
        raise UsageError(f"{place}: an image without url, base64 or file_id.", field=place)
    return ImagePart(url, file_id)


def _from_file(block: Block, place: str) -> TextPart | FilePart:
    if (text := _source_text(block)) is not None:
        return _with_title(text, block)
    if isinstance(nested := block.get("file"), Mapping):
        return _from_input_file(nested, place)
    url, file_id, data, mime_type = _source(block)
    if not (url or file_id or data):
        raise UsageError(f"{place}: a file without url, base64 or file_id.", field=place)
    extras = block.get("extras") or block.get("metadata") or {}
    name = block.get("filename") or block.get("title") or extras.get("filename")
    return FilePart(url, file_id, data, mime_type, name)


def _from_input_file(block: Block, place: str) -> FilePart:
    """OpenAI's form of a file, whose data is a data URL."""
    url, file_id = block.get("file_url") or block.get("url"), block.get("file_id")
    if not (url or file_id or block.get("file_data")):
        raise UsageError(f"{place}: a file without file_data, file_url or file_id.", field=place)
    if url or file_id:
        return FilePart(url, file_id, filename=block.get("filename"))
    mime_type, data = split_data_url(block["file_data"]) or (None, block["file_data"])
    return FilePart(None, None, data, mime_type, block.get("filename"))


def _from_text_plain(block: Block, place: str) -> TextPart | FilePart:
    text = block.get("text")
    return _with_title(text, block) if isinstance(text, str) else _from_file(block, place)


def _source_text(block: Block) -> str | None:
    """The text of a document that is given as text, in Anthropic's form or v0's."""
    if isinstance(source := block.get("source"), Mapping) and source.get("type") == "text":
        return str(source.get("data") or "")
    if block.get("source_type") == "text":
        return str(block.get("text") or block.get("url") or "")
    return None


def _with_title(text: str, block: Block) -> TextPart:
    title = block.get("title")
    return TextPart(f"{title}\n\n{text}" if title else text)


def _source(block: Block) -> tuple[str | None, str | None, str | None, str | None]:
    """Address, file id, base64 data and type, in the standard form or in Anthropic's or v0's."""
    if isinstance(source := block.get("source"), Mapping):
        data = source.get("data") if source.get("type") == "base64" else None
        return source.get("url"), source.get("file_id"), data, source.get("media_type")
    if isinstance(kind := block.get("source_type"), str):
        data = block.get("data") if kind == "base64" else None
        return block.get("url"), block.get("id"), data, block.get("mime_type")
    return block.get("url"), block.get("file_id"), block.get("base64"), block.get("mime_type")


_BLOCKS: dict[str, Callable[[Block, str], TextPart | ImagePart | FilePart]] = {
    "text": _from_text,
    "input_text": _from_text,
    "image": _from_image,
    "image_url": _from_image_url,
    "input_image": _from_image_url,
    "file": _from_file,
    "document": _from_file,
    "input_file": _from_input_file,
    "text-plain": _from_text_plain,
}


# --- what the model said ------------------------------------------------------------------------


def _to_answer(message: AIMessage, position: int) -> tuple[Part, ...]:
    content = message.content
    blocks = [content] if isinstance(content, str) else content
    said = [part for block in blocks for part in _to_answer_parts(block, position)]
    reasoning = message.additional_kwargs.get("reasoning_content")
    if isinstance(reasoning, str) and not any(isinstance(part, ReasoningPart) for part in said):
        said.insert(0, ReasoningPart(reasoning))
    if message.tool_calls or message.invalid_tool_calls or blocks is content:
        said += _to_calls(message, _path(position))
    return tuple(said)


def _to_answer_parts(block: str | Block, position: int) -> tuple[Part, ...]:
    """Text, reasoning and pictures; calls are apart, other blocks only tell of the past."""
    if isinstance(block, str):
        return (TextPart(block),) if block else ()
    match block.get("type"):
        case "text" if block.get("text"):
            return (TextPart(block["text"]),)
        case "reasoning" if block.get("reasoning"):
            return (ReasoningPart(block["reasoning"]),)
        case "image":
            return (_from_image(block, _path(position)),)
        case _:
            return ()


def _to_calls(message: AIMessage, place: str) -> list[ToolCallPart]:
    calls = [
        ToolCallPart(_call_id(call, place), call["name"], json.dumps(call["args"]).decode())
        for call in (*message.tool_calls, *_calls_in_content(message))
    ]
    return calls + [
        ToolCallPart(_call_id(call, place), call.get("name") or "", call.get("args") or "")
        for call in message.invalid_tool_calls
    ]


def _calls_in_content(message: AIMessage) -> Iterator[Block]:
    """Calls that a message has in its content only, as people write them down by hand."""
    if isinstance(message.content, str):
        return
    known = {call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)}
    for block in message.content:
        match block:
            case {"type": "tool_call", "id": id_, "name": name, "args": args} | {
                "type": "tool_use",
                "id": id_,
                "name": name,
                "input": args,
            } if id_ not in known:
                yield {"id": id_, "name": name, "args": args}


def _call_id(call: Mapping[str, Any], place: str) -> str:
    if not call.get("id"):
        raise UsageError(
            f"{place}.tool_calls: the call of {call.get('name')!r} has no id,"
            " so no tool message can answer it.",
            field=place,
        )
    identifier: str = call["id"]
    return identifier
