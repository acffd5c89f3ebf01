"""Convert LangChain's messages to core messages.

The other direction, from responses to LangChain's messages, is in ``_output``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from typing import Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_xai_lowcode._output import OUTPUT_BLOCKS, get_items, get_stored
from xai_lowcode._internal import json
from xai_lowcode._internal.data_urls import image_mime_type, split_data_url
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
    own_reasoning,
)

Block = Mapping[str, Any]
ContentPart = TextPart | ImagePart | FilePart


def to_messages(messages: Sequence[BaseMessage]) -> list[Message]:
    """Convert messages; the originals are not changed.

    Raises:
        UsageError: A message or content block has no equivalent; ``field`` is its path.
    """
    return [
        _CONVERTERS.get(type(message), _from_other)(message, position)
        for position, message in enumerate(messages)
    ]


def _from_other(message: BaseMessage, position: int) -> Message:
    bases = (base for base in _CONVERTERS if isinstance(message, base))
    return _CONVERTERS.get(next(bases, BaseMessage), _refuse_message)(message, position)


def _from_human(message: HumanMessage, position: int) -> Message:
    return Message("user", _to_parts(message.content, position), message.name)


def _from_system(message: SystemMessage, position: int) -> Message:
    return Message("system", _to_parts(message.content, position))


def _from_ai(message: AIMessage, position: int) -> Message:
    content = message.content
    if isinstance(content, str) and not (
        message.tool_calls
        or message.invalid_tool_calls
        or message.additional_kwargs
        or message.response_metadata
    ):
        # Most messages of long histories.
        return Message("assistant", (TextPart(content),) if content else ())
    parts = _to_assistant_parts(message, _path(position))
    items, dialect = get_items(message.additional_kwargs)
    return Message(
        "assistant",
        parts,
        items=items,
        dialect=dialect,
        stored=get_stored(message.response_metadata),
    )


def _from_tool(message: ToolMessage, position: int) -> Message:
    content = message.content
    if isinstance(content, str):
        parts: tuple[ContentPart, ...] = (TextPart(content),)
    else:
        path = _path(position)
        parts = tuple(_to_result_part(block, path) for block in content) or (TextPart(""),)
    is_error = message.status == "error"
    return Message("tool", (ToolResultPart(message.tool_call_id, parts, is_error),))


def _to_result_part(block: str | Block, path: str) -> ContentPart:
    """Convert a block of a tool result; one that is no content block is sent as JSON text.

    Tools return data with a ``type`` of its own, such as a listing of files.
    """
    if isinstance(block, str):
        return TextPart(block)
    try:
        return to_part(block, path)
    except UsageError:
        return TextPart(json.dumps_text(block))


def _from_chat(message: ChatMessage, position: int) -> Message:
    role: Any = _ROLE_ALIASES.get(message.role, message.role)
    if role not in ROLES - {"tool"}:
        path = _path(position)
        raise UsageError(
            f"{path}: unsupported role {role!r} of a ChatMessage.",
            field=path,
            hint="Use the role 'system', 'user' or 'assistant', and a ToolMessage for a result.",
        )
    return Message(role, _to_parts(message.content, position))


# LangChain converts the messages of these roles in dicts and tuples in the same way.
_ROLE_ALIASES = {"developer": "system", "human": "user", "ai": "assistant"}


def _refuse_message(message: BaseMessage, position: int) -> Message:
    path = _path(position)
    raise UsageError(
        f"{path}: unsupported message type {type(message).__name__}.",
        field=path,
        hint="Use system, human, AI and tool messages.",
    )


def _path(position: int) -> str:
    return f"messages[{position}]"


_CONVERTERS: dict[type[BaseMessage], Callable[[Any, int], Message]] = {
    HumanMessage: _from_human,
    AIMessage: _from_ai,
    ToolMessage: _from_tool,
    SystemMessage: _from_system,
    ChatMessage: _from_chat,
}


# --- content of human, system and tool messages -------------------------------------------------


def _to_parts(content: Any, position: int) -> tuple[ContentPart, ...]:
    if isinstance(content, str):
        return (TextPart(content),)
    path = _path(position)
    return tuple(
        TextPart(block) if isinstance(block, str) else to_part(block, f"{path}.content[{i}]")
        for i, block in enumerate(content)
    ) or (TextPart(""),)


def to_part(block: Block, path: str) -> ContentPart:
    """Convert a content block of text, an image or a document.

    Raises:
        UsageError: It is none of these; ``field`` is its path.
    """
    kind = block.get("type")
    if kind == "non_standard" and isinstance(block.get("value"), Mapping):
        block = block["value"]
        kind = block.get("type") or kind
    converter = _BLOCK_CONVERTERS.get(str(kind))
    if converter is None:
        raise UsageError(
            f"{path}: unsupported content block type {kind!r}.",
            field=path,
            hint=f"Supported types: {', '.join(sorted(_BLOCK_CONVERTERS))}.",
        )
    part = converter(block, path)
    if isinstance(part, TextPart):
        return part
    for key in fields(part):
        if not isinstance(getattr(part, key.name), str | None):
            raise UsageError(f"{path}: {key.name!r} must be a string.", field=path)
    return replace(part, origin=f"a content block of type {kind!r}")


def _from_text(block: Block, path: str) -> TextPart:
    text = block.get("text")
    if not isinstance(text, str):
        raise UsageError(f"{path}: 'text' must be a string.", field=path)
    return TextPart(text)


def _from_image_url(block: Block, path: str) -> ImagePart:
    """Convert OpenAI's ``image_url`` and ``input_image`` blocks."""
    image_url = block.get("image_url")
    image = image_url if isinstance(image_url, Mapping) else {**block, "url": image_url}
    if not (image.get("url") or image.get("file_id")):
        raise UsageError(f"{path}: an image requires a URL or a file_id.", field=path)
    return ImagePart(image.get("url"), image.get("file_id"), image.get("detail"))


def _from_image(block: Block, path: str) -> ImagePart:
    url, file_id, data, mime_type = _get_source(block, path)
    if data is not None:
        return ImagePart(f"data:{mime_type or image_mime_type(data)};base64,{data}")
    if not (url or file_id):
        raise UsageError(f"{path}: an image requires url, base64 or file_id.", field=path)
    return ImagePart(url, file_id)


def _from_file(block: Block, path: str) -> TextPart | FilePart:
    if (text := _get_source_text(block)) is not None:
        return _with_title(text, block)
    if isinstance(nested := block.get("file"), Mapping):
        return _from_input_file(nested, path)
    url, file_id, data, mime_type = _get_source(block, path)
    if not (url or file_id or data):
        raise UsageError(f"{path}: a file requires url, base64 or file_id.", field=path)
    name = block.get("filename") or block.get("title")
    if not name and isinstance(extras := block.get("extras") or block.get("metadata"), Mapping):
        name = extras.get("filename")
    return FilePart(url, file_id, data, mime_type, name)


def _from_input_file(block: Block, path: str) -> FilePart:
    """Convert OpenAI's ``input_file`` block, whose data is a data URL."""
    url, file_id = block.get("file_url") or block.get("url"), block.get("file_id")
    if not (url or file_id or block.get("file_data")):
        raise UsageError(f"{path}: a file requires file_data, file_url or file_id.", field=path)
    if url or file_id:
        return FilePart(url, file_id, filename=block.get("filename"))
    data = block["file_data"]
    mime_type, data = (isinstance(data, str) and split_data_url(data)) or (None, data)
    return FilePart(None, None, data, mime_type, block.get("filename"))


def _from_text_plain(block: Block, path: str) -> TextPart | FilePart:
    text = block.get("text")
    return _with_title(text, block) if isinstance(text, str) else _from_file(block, path)


def _get_source_text(block: Block) -> str | None:
    """Return the text of a text document, in Anthropic's format or LangChain's v0 format."""
    if isinstance(source := block.get("source"), Mapping) and source.get("type") == "text":
        return str(source.get("data") or "")
    if block.get("source_type") == "text":
        return str(block.get("text") or block.get("url") or "")
    return None


def _with_title(text: str, block: Block) -> TextPart:
    title = block.get("title")
    return TextPart(f"{title}\n\n{text}" if title else text)


def _get_source(block: Block, path: str) -> tuple[str | None, str | None, str | None, str | None]:
    """Return URL, file id, base64 data and MIME type; see ``_find_source``.

    Raises:
        UsageError: The data is no string.
    """
    url, file_id, data, mime_type = _find_source(block)
    if data is None:
        return url, file_id, None, mime_type
    if not isinstance(data, str):
        raise UsageError(
            f"{path}: the data of a block of type {block.get('type')!r} must be a base64 string,"
            f" not {type(data).__name__}.",
            field=path,
        )
    # Browsers and many libraries encode as data URLs.
    data_type, data = split_data_url(data) or (None, data)
    return url, file_id, data, mime_type or data_type


def _find_source(block: Block) -> tuple[str | None, str | None, Any, str | None]:
    """Find URL, file id, data and MIME type; in the format of Anthropic, v0, MCP or v1."""
    if isinstance(source := block.get("source"), Mapping):
        data = source.get("data") if source.get("type") == "base64" else None
        return source.get("url"), source.get("file_id"), data, source.get("media_type")
    if isinstance(source_type := block.get("source_type"), str):
        data = block.get("data") if source_type == "base64" else None
        return block.get("url"), block.get("id"), data, block.get("mime_type")
    if isinstance(mime_type := block.get("mimeType"), str) and "data" in block:
        return None, None, block["data"], mime_type
    return block.get("url"), block.get("file_id"), block.get("base64"), block.get("mime_type")


_BLOCK_CONVERTERS: dict[str, Callable[[Block, str], ContentPart]] = {
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


_DOCUMENT_TYPES = frozenset({"file", "document", "input_file", "text-plain"})


def replace_files(
    messages: Sequence[BaseMessage], replace_file: Callable[[FilePart], FilePart]
) -> list[BaseMessage]:
    """Return messages with documents replaced by uploaded ones; the originals are not changed.

    Args:
        messages: The messages.
        replace_file: Returns the document to send, or the same one.
    """

    def convert(block: str | Block, path: str) -> str | Block:
        if isinstance(block, str) or block.get("type") not in _DOCUMENT_TYPES:
            return block
        try:
            part = to_part(block, path)
        except UsageError:
            # Data of a tool, or an error that the model will report.
            return block
        if not isinstance(part, FilePart) or (replaced := replace_file(part)) is part:
            return block
        return {"type": "file", "file_id": replaced.file_id}

    return [
        message
        if isinstance(message.content, str) or isinstance(message, AIMessage)
        else message.model_copy(
            update={
                "content": [
                    convert(block, f"messages[{i}].content[{j}]")
                    for j, block in enumerate(message.content)
                ]
            }
        )
        for i, message in enumerate(messages)
    ]


# --- content and tool calls of AI messages ------------------------------------------------------


def _to_assistant_parts(message: AIMessage, path: str) -> tuple[Part, ...]:
    content, kwargs = message.content, message.additional_kwargs
    provider = message.response_metadata.get("model_provider")
    is_text = isinstance(content, str)
    blocks: Any = [content] if is_text else content
    if is_text and kwargs and (images := kwargs.get(OUTPUT_BLOCKS)):
        # The images of a response are beside its text.
        blocks[:0] = [block for block in images if block.get("type") == "image"]
    parts = [part for block in blocks for part in _to_assistant_part(block, provider, path)]
    if kwargs and not any(isinstance(part, ReasoningPart) for part in parts):
        parts[:0] = own_reasoning(kwargs.get("reasoning_content"), provider)
    if message.tool_calls or message.invalid_tool_calls or not is_text:
        parts += _to_tool_calls(message)
    return tuple(parts)


def _to_assistant_part(block: str | Block, provider: Any, path: str) -> Iterable[Part]:
    """Convert text, reasoning and images; tool calls are separate, other blocks are dropped."""
    if isinstance(block, str):
        return (TextPart(block),) if block else ()
    match block.get("type"):
        case "text" | "output_text" if block.get("text"):
            return (TextPart(block["text"]),)
        case "reasoning":
            return own_reasoning(block.get("reasoning"), provider)
        case "image" | "image_url" | "input_image":
            with suppress(UsageError):
                return (to_part(block, path),)
            return ()
        case _:
            return ()


def _to_tool_calls(message: AIMessage) -> list[ToolCallPart]:
    calls = [
        ToolCallPart(call.get("id") or "", call["name"], json.dumps_arguments(call["args"]))
        for call in (*message.tool_calls, *_tool_calls_in_content(message))
    ]
    return calls + [
        ToolCallPart(call.get("id") or "", call.get("name") or "", call.get("args") or "")
        for call in message.invalid_tool_calls
    ]


def _tool_calls_in_content(message: AIMessage) -> Iterator[Block]:
    """Yield tool calls that are only in the content, as in messages written by hand."""
    if isinstance(message.content, str):
        return
    ids = {call["id"] for call in (*message.tool_calls, *message.invalid_tool_calls)}
    for block in message.content:
        match block:
            case {"type": "tool_call", "id": id_, "name": name, "args": args} | {
                "type": "tool_use",
                "id": id_,
                "name": name,
                "input": args,
            } if id_ not in ids:
                yield {"id": id_, "name": name, "args": args}
