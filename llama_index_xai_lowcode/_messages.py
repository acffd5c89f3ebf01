"""LlamaIndex's messages as ours and back: one small function for each kind of block or part.

Messages of the caller are only read. What tools are called on the wire is ``_tools``' business.
What has no block is kept beside the blocks, as plain JSON that every store keeps.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    AudioBlock,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from pydantic_core import to_json

from llama_index_xai_lowcode._documents import to_data_url, to_document
from llama_index_xai_lowcode._tools import sanitize_name
from xai_lowcode._internal.data_urls import split_data_url
from xai_lowcode.errors import InvalidResponseError, UsageError
from xai_lowcode.types.messages import (
    FilePart,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

# The items of an answer, which go back to xAI verbatim, and the wire form they came in.
ITEMS = "xai"
# Tools that xAI ran itself, where users of LlamaIndex's own classes look for them.
SERVER_TOOLS = "built_in_tool_calls"

_ROLES: dict[str, Role] = {
    MessageRole.SYSTEM: "system",
    MessageRole.DEVELOPER: "system",
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.CHATBOT: "assistant",
    MessageRole.MODEL: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.FUNCTION: "tool",
}


def to_messages(messages: Sequence[ChatMessage]) -> tuple[Message, ...]:
    """LlamaIndex's messages as ours; never changes them.

    Raises:
        UsageError: A block has no counterpart at xAI; the message says which and where.
    """
    return tuple(_to_message(message, i) for i, message in enumerate(messages))


def _to_message(message: ChatMessage, place: int) -> Message:
    role, more = _ROLES[message.role], message.additional_kwargs
    parts = tuple(part for block in message.blocks for part in _to_parts(block, place))
    if role == "tool":
        return _to_result(more.get("tool_call_id"), parts)
    if role == "assistant":
        return _to_assistant_message(more, parts) if more else Message(role, parts)
    # Only a user's name is taken; on other roles xAI refuses it.
    return Message(role, parts, more.get("name") if role == "user" else None)


def _to_result(call_id: str | None, parts: Any) -> Message:
    # Results of the time before ids, and of text protocols: xAI knows no tool message without one.
    if not call_id:
        return Message("user", parts)
    return Message("tool", (ToolResultPart(call_id, parts),))


def _to_assistant_message(more: Mapping[str, Any], parts: tuple[Part, ...]) -> Message:
    used, told = map(_to_server_tool, more.get(SERVER_TOOLS) or ()), more.get(ITEMS) or {}
    return Message(
        "assistant",
        (*used, *parts, *_legacy_calls(more, parts)),
        items=tuple(told.get("items") or ()),
        dialect=told.get("form") or "",
    )


def _to_server_tool(used: Mapping[str, Any]) -> ServerToolPart:
    return ServerToolPart(
        used.get("type") or "",
        id=used.get("id") or "",
        name=used.get("name") or "",
        arguments=used.get("arguments") or "",
        result=used.get("result"),
        failed=bool(used.get("failed")),
    )


def _legacy_calls(more: Mapping[str, Any], parts: Sequence[Part]) -> Iterable[ToolCallPart]:
    """The calls of messages that were stored before there were blocks for them.

    Newer messages have both; reading both would double the calls.
    """
    calls = more.get("tool_calls") or ()
    if not calls or any(isinstance(part, ToolCallPart) for part in parts):
        return ()
    return map(_to_legacy_call, calls)


def _to_legacy_call(call: Any) -> ToolCallPart:
    function = _member(call, "function")
    return ToolCallPart(
        _member(call, "id") or "",
        sanitize_name(_member(function, "name") or ""),
        _arguments(_member(function, "arguments")),
    )


def _member(thing: Any, name: str) -> Any:
    """A member of a dict, or of the object of some SDK."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _arguments(said: Any) -> str:
    return said if isinstance(said, str) else to_json(said or {}).decode()


# --- blocks to parts ----------------------------------------------------------------------------


def _to_parts(block: Any, place: int) -> Iterable[Part]:
    convert = _BLOCKS.get(type(block))
    if convert is None:
        raise _unsupported_image_error(block, place)
    return convert(block, place)


def _unsupported_image_error(block: Any, place: int) -> UsageError:
    return UsageError(
        f"messages[{place}]: xAI's chat takes no {type(block).__name__}.",
        field="messages",
        hint="Use text, images, documents by URL or as text, thinking and tool calls.",
    )


def _to_text(block: TextBlock, _: int) -> Iterable[Part]:
    return (TextPart(block.text),)


def _to_image(block: ImageBlock, place: int) -> Iterable[Part]:
    url = str(block.url) if block.url is not None else to_data_url(block, place)
    return (ImagePart(url=url, detail=block.detail),)


def _to_reasoning(block: ThinkingBlock, _: int) -> Iterable[Part]:
    return (ReasoningPart(block.content),) if block.content else ()


def _to_call(block: ToolCallBlock, _: int) -> Iterable[Part]:
    return (
        ToolCallPart(
            block.tool_call_id or "", sanitize_name(block.tool_name), _arguments(block.tool_kwargs)
        ),
    )


def _to_file(block: DocumentBlock, place: int) -> Iterable[Part]:
    return (to_document(block, place),)


def _to_citable(block: CitableBlock, place: int) -> Iterable[Part]:
    yield TextPart(f"{block.title} ({block.source})")
    for nested in block.content:
        yield from _to_parts(nested, place)


def _skip(_block: Any, _: int) -> Iterable[Part]:
    return ()


def _unsupported_block_error(block: Any, place: int) -> Iterable[Part]:
    raise _unsupported_image_error(block, place)


_BLOCKS: dict[type, Callable[[Any, int], Iterable[Part]]] = {
    TextBlock: _to_text,
    ImageBlock: _to_image,
    DocumentBlock: _to_file,
    ThinkingBlock: _to_reasoning,
    ToolCallBlock: _to_call,
    CitableBlock: _to_citable,
    # What is cited is the word of a source, not of the assistant; xAI would take it for the latter.
    CitationBlock: _skip,
    # xAI caches by itself; ``prompt_cache_key`` is what a user can do for it.
    CachePoint: _skip,
    AudioBlock: _unsupported_block_error,
    VideoBlock: _unsupported_block_error,
}


# --- and back -----------------------------------------------------------------------------------


def from_message(message: Message) -> ChatMessage:
    """Our message as LlamaIndex's; ``to_messages`` makes the same message of it again.

    Raises:
        UsageError: A part has no counterpart in LlamaIndex, such as the id of an uploaded file.
    """
    more: dict[str, Any] = {"name": message.name} if message.name else {}
    more |= to_additional_kwargs(message.parts, message.items, message.dialect)
    parts: Sequence[Part] = message.parts
    if message.role == "tool" and parts and isinstance(parts[0], ToolResultPart):
        more["tool_call_id"], parts = parts[0].call_id, parts[0].content
    return ChatMessage(
        role=MessageRole(message.role), blocks=from_parts(parts), additional_kwargs=more
    )


def from_parts(parts: Iterable[Part]) -> list[Any]:
    """Our parts as LlamaIndex's blocks, in the same order; some have none, see ``to_additional_kwargs``."""
    return [_PARTS[type(part)](part) for part in parts if not isinstance(part, ServerToolPart)]


def to_additional_kwargs(
    parts: Iterable[Part],
    items: Sequence[Mapping[str, Any]] = (),
    form: str = "",
    response_id: str = "",
) -> dict[str, Any]:
    """What of an answer has no block, as ``additional_kwargs`` of its message."""
    used = [_from_server_tool(part) for part in parts if isinstance(part, ServerToolPart)]
    return {
        **({SERVER_TOOLS: used} if used else {}),
        **({ITEMS: {"form": form, "id": response_id, "items": list(items)}} if items else {}),
    }


def _from_server_tool(part: ServerToolPart) -> dict[str, Any]:
    return {
        "type": part.kind,
        "id": part.id,
        "name": part.name,
        "arguments": part.arguments,
        "result": part.result,
        "failed": part.failed,
    }


def _from_text(part: TextPart) -> TextBlock:
    return TextBlock(text=part.text)


def _from_reasoning(part: ReasoningPart) -> ThinkingBlock:
    return ThinkingBlock(content=part.text)


def _from_call(part: ToolCallPart) -> ToolCallBlock:
    return ToolCallBlock(tool_call_id=part.id, tool_name=part.name, tool_kwargs=part.arguments)


def _from_image(part: ImagePart) -> ImageBlock:
    if part.url is None:
        raise _without_ids()
    inside = split_data_url(part.url)
    if inside is None:
        return ImageBlock(url=part.url, detail=part.detail)
    mime_type, data = inside
    return ImageBlock(image=_decoded(data), image_mimetype=mime_type or None, detail=part.detail)


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data)
    except ValueError as error:  # binascii.Error, or a text that is not ASCII
        raise InvalidResponseError(f"A picture in the answer is no base64 ({error}).") from None


def _from_file(part: FilePart) -> DocumentBlock:
    if part.file_id is not None:
        raise _without_ids()
    return DocumentBlock(
        url=part.url,
        data=None if part.data is None else base64.b64decode(part.data),
        title=part.filename,
        document_mimetype=part.mime_type,
    )


def _without_ids() -> UsageError:
    return UsageError(
        "messages: LlamaIndex has no block for the id of an uploaded file.", field="messages"
    )


_PARTS: dict[type, Callable[[Any], Any]] = {
    TextPart: _from_text,
    ReasoningPart: _from_reasoning,
    ToolCallPart: _from_call,
    ImagePart: _from_image,
    FilePart: _from_file,
}
