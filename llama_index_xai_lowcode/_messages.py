"""Convert LlamaIndex's messages, with one function for each type of block, and parts of responses.

The caller's messages are not changed. Parts of responses without a block type (output items, calls
of server-side tools) are in the ``additional_information`` of a thinking block, as plain JSON that
chat stores preserve. ``Memory`` counts a message's ``additional_kwargs`` as tokens, so only the
digest of a stored response is there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
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
)
from pydantic_core import to_json

from llama_index_xai_lowcode._documents import (
    UploadedDocumentBlock,
    to_document,
    to_image,
    with_image,
)
from llama_index_xai_lowcode._tools import describe_invalid_arguments, is_rejection
from xai_lowcode._internal.data_urls import image_mime_type, split_data_url
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode.chat.options import sanitize_name
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import (
    MODEL_PROVIDER,
    ImagePart,
    Message,
    Part,
    ReasoningPart,
    Role,
    ServerToolPart,
    StoredResponse,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    join_texts,
    own_reasoning,
)

# Key of xAI's data: of the output items in the thinking block, which are sent back unchanged, and
# of the stored response in the message's ``additional_kwargs``.
XAI = "xai"
# Key of the provider of a thinking block; blocks of other providers do not have it.
_PROVIDER = "model_provider"
# Key of server-side tool calls in responses; LlamaIndex's OpenAIResponses uses it too.
SERVER_TOOL_CALLS = "built_in_tool_calls"

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
    """Convert LlamaIndex's messages.

    Raises:
        UsageError: xAI does not support a block; the error names its type and the message.
    """
    return tuple(_to_message(message, index, messages) for index, message in enumerate(messages))


def _to_message(message: ChatMessage, index: int, messages: Sequence[ChatMessage]) -> Message:
    role, kwargs = _ROLES[message.role], message.additional_kwargs
    if role == "tool":
        result = tuple(part for block in message.blocks for part in _to_result_parts(block, index))
        # Text-based agents and old chat stores have results without an id.
        call_id = kwargs.get("tool_call_id") or ""
        if is_rejection(message.content or "") and (
            reason := _find_invalid_call(messages[:index], call_id)
        ):
            result = (TextPart(reason),)
        return Message("tool", (ToolResultPart(call_id, result),))
    blocks = message.blocks
    if role == "assistant":
        if not kwargs and len(blocks) == 1 and type(block := blocks[0]) is TextBlock:
            # Most messages of long conversations.
            return Message("assistant", (TextPart(block.text),) if block.text else ())
        spoken = (part for block in blocks for part in _to_spoken_parts(block, index))
        return _to_assistant_message(message, tuple(spoken))
    parts = tuple([part for block in blocks for part in _to_parts(block, index)])
    if any(isinstance(part, ToolCallPart) for part in parts):
        raise _unsupported_block_error(ToolCallBlock, index, f" in a {role} message")
    parts = tuple(part for part in parts if not isinstance(part, ReasoningPart))
    # xAI rejects a name on messages of other roles.
    return Message(role, parts, kwargs.get("name") if role == "user" else None)


def _find_invalid_call(messages: Sequence[ChatMessage], call_id: str) -> str:
    """Return why the last call with an id was not run; an empty string if its arguments are valid.

    Agents report Python's error for the arguments by which the tool was kept from running.
    """
    calls = (
        block
        for message in reversed(messages)
        for block in message.blocks
        if isinstance(block, ToolCallBlock) and block.tool_call_id == call_id
    )
    call = next(calls, None)
    return "" if call is None else describe_invalid_arguments(call.tool_kwargs)


def _to_result_parts(block: Any, index: int) -> Iterable[Any]:
    """Convert a block of a tool result; one that xAI does not support is sent as JSON text."""
    if not isinstance(block, ToolCallBlock):
        try:
            return [p for p in _to_parts(block, index) if not isinstance(p, ReasoningPart)]
        except UsageError:
            pass
    return (TextPart(to_json(block, bytes_mode="base64", fallback=str).decode()),)


def _to_spoken_parts(block: Any, index: int) -> Iterable[Part]:
    """Convert a block of an assistant message; one that xAI does not support is left out.

    Other models generate audio and video, which must not end a conversation.
    """
    try:
        return tuple(_to_parts(block, index))
    except UsageError as error:
        warn_user(f"{error} The block is not sent.")
        return ()


def _to_assistant_message(message: ChatMessage, parts: tuple[Part, ...]) -> Message:
    kwargs = message.additional_kwargs
    information = _get_own_information(message.blocks)
    items, dialect = _parse_items(information)
    return Message(
        "assistant",
        (
            *map(_to_server_tool_part, information.get(SERVER_TOOL_CALLS, ())),
            *_join_texts(parts),
            *_to_legacy_tool_calls(kwargs, parts),
        ),
        items=items,
        dialect=dialect,
        stored=_to_stored_response(kwargs.get(XAI)),
    )


def _get_own_information(blocks: Iterable[Any]) -> Mapping[str, Any]:
    """Return what ``to_thinking_block`` has put into the thinking block of a response."""
    for block in blocks:
        if isinstance(block, ThinkingBlock):
            information = block.additional_information
            if information.get(_PROVIDER) == MODEL_PROVIDER:
                return information
    return {}


def get_items(message: ChatMessage) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Return the output items of a response and their dialect, or empty values."""
    return _parse_items(_get_own_information(message.blocks))


def _parse_items(information: Mapping[str, Any]) -> tuple[tuple[Mapping[str, Any], ...], str]:
    """Return the output items and their dialect, or empty values if there are none."""
    match information.get(XAI):
        case {"dialect": str(dialect), "items": [*items]}:
            return tuple(items), dialect
        case _:
            return (), ""


def _join_texts(parts: Sequence[Part]) -> Iterator[Part]:
    """Join the text as ``ChatMessage.content`` does; in xAI's APIs a response has one text."""
    text = join_texts(parts)
    for part in parts:
        if not isinstance(part, TextPart):
            yield part
        elif text:
            yield TextPart(text)
            text = ""


def _to_stored_response(stored: Any) -> StoredResponse | None:
    match stored:
        case {"id": str(response_id), "conversation": str(conversation)}:
            return StoredResponse(response_id, conversation)
        case _:
            return None


def _to_server_tool_part(call: Mapping[str, Any]) -> ServerToolPart:
    return ServerToolPart(
        call.get("type") or "",
        id=call.get("id") or "",
        name=call.get("name") or "",
        arguments=call.get("arguments") or "",
        result=call.get("result"),
        failed=bool(call.get("failed")),
        status=call.get("status") or "",
    )


def _to_legacy_tool_calls(
    kwargs: Mapping[str, Any], parts: Sequence[Part]
) -> Iterable[ToolCallPart]:
    """Convert ``additional_kwargs["tool_calls"]`` of messages without tool call blocks.

    Messages of current versions have both, with the same calls.
    """
    calls = kwargs.get("tool_calls") or ()
    if not calls or any(isinstance(part, ToolCallPart) for part in parts):
        return ()
    return map(_to_legacy_tool_call, calls)


def _to_legacy_tool_call(call: Any) -> ToolCallPart:
    function = _get(call, "function")
    return ToolCallPart(
        _get(call, "id") or "",
        sanitize_name(_get(function, "name") or ""),
        _dump_arguments(_get(function, "arguments")),
    )


def _get(obj: Any, name: str) -> Any:
    """Return a value of a dict, or an attribute of an SDK's object."""
    return obj.get(name) if isinstance(obj, Mapping) else getattr(obj, name, None)


def _dump_arguments(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else to_json(arguments or {}).decode()


# --- blocks to parts ----------------------------------------------------------------------------


def _to_parts(block: Any, index: int) -> Iterable[Part]:
    convert = _BLOCKS.get(type(block))
    if convert is None and isinstance(block, ImageBlock):
        # A generated image is a subclass; of other subclasses it is not known what they mean.
        convert = _to_image
    if convert is None:
        raise _unsupported_block_error(type(block), index)
    return convert(block, index)


def _unsupported_block_error(block_type: type, index: int, place: str = "") -> UsageError:
    return UsageError(
        f"messages[{index}]: {block_type.__name__}{place} is not supported by xAI.",
        field="messages",
        hint="Use text, images, documents by URL or as text, thinking and tool calls.",
    )


def _to_text(block: TextBlock, _: int) -> Iterable[Part]:
    return (TextPart(block.text),)


def _to_image(block: ImageBlock, index: int) -> Iterable[Part]:
    return (to_image(block, f"messages[{index}]"),)


def _to_reasoning(block: ThinkingBlock, _: int) -> Iterable[Part]:
    return own_reasoning(block.content, block.additional_information.get(_PROVIDER))


def _to_tool_call(block: ToolCallBlock, _: int) -> Iterable[Part]:
    name, arguments = sanitize_name(block.tool_name), _dump_arguments(block.tool_kwargs)
    return (ToolCallPart(block.tool_call_id or "", name, arguments),)


def _to_file(block: DocumentBlock, index: int) -> Iterable[Part]:
    return (to_document(block, f"messages[{index}]"),)


def _to_citable(block: CitableBlock, index: int) -> Iterable[Part]:
    yield TextPart(f"{block.title} ({block.source})")
    for nested in block.content:
        yield from _to_parts(nested, index)


def _skip(_block: Any, _: int) -> Iterable[Part]:
    return ()


_BLOCKS: dict[type, Callable[[Any, int], Iterable[Part]]] = {
    TextBlock: _to_text,
    ImageBlock: _to_image,
    DocumentBlock: _to_file,
    UploadedDocumentBlock: _to_file,
    ThinkingBlock: _to_reasoning,
    ToolCallBlock: _to_tool_call,
    CitableBlock: _to_citable,
    # Quotes a source: as part of an assistant message it would read as the assistant's own text.
    CitationBlock: _skip,
    # xAI caches prompts automatically; see prompt_cache_key.
    CachePoint: _skip,
}


# --- parts to blocks ----------------------------------------------------------------------------


def from_parts(parts: Iterable[ImagePart | ToolCallPart]) -> list[Any]:
    """Convert images and tool calls of a response to blocks."""
    return [
        _from_image(part) if isinstance(part, ImagePart) else _from_tool_call(part)
        for part in parts
    ]


def to_thinking_block(
    reasoning: str,
    *,
    num_tokens: int | None = None,
    items: Sequence[Mapping[str, Any]] = (),
    dialect: str = "",
    server_tool_calls: Sequence[Mapping[str, Any]] = (),
) -> list[ThinkingBlock]:
    """Return a block of the reasoning and of what has no block type; none if there is nothing."""
    if not (reasoning or items or server_tool_calls):
        return []
    information: dict[str, Any] = {_PROVIDER: MODEL_PROVIDER}
    if items:
        information[XAI] = {"dialect": dialect, "items": list(items)}
    if server_tool_calls:
        information[SERVER_TOOL_CALLS] = list(server_tool_calls)
    block = ThinkingBlock(
        content=reasoning or None, num_tokens=num_tokens, additional_information=information
    )
    return [block]


def from_server_tool_parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Convert the calls of server-side tools among the parts of a response."""
    return [_from_server_tool_part(part) for part in parts if isinstance(part, ServerToolPart)]


def from_stored_response(stored: StoredResponse | None) -> dict[str, Any]:
    """Return the ``additional_kwargs`` of a message that describe a stored response."""
    return {} if stored is None else {XAI: {"id": stored.id, "conversation": stored.conversation}}


def _from_server_tool_part(part: ServerToolPart) -> dict[str, Any]:
    return {
        "type": part.kind,
        "id": part.id,
        "name": part.name,
        "arguments": part.arguments,
        "result": part.result,
        "failed": part.failed,
        **({"status": part.status} if part.status else {}),
    }


def _from_tool_call(part: ToolCallPart) -> ToolCallBlock:
    return ToolCallBlock(tool_call_id=part.id, tool_name=part.name, tool_kwargs=part.arguments)


def _from_image(part: ImagePart) -> ImageBlock:
    data_url = split_data_url(part.url or "")
    if data_url is None:
        return ImageBlock(url=part.url, detail=part.detail)
    mime_type, data = data_url
    block = ImageBlock(image_mimetype=mime_type or image_mime_type(data), detail=part.detail)
    return with_image(block, data)
