"""The body of a Messages request."""

from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    ArrayOf,
    StringEnum,
    Struct,
    TaggedEnum,
    UntaggedEnum,
    Validator,
)

CACHE_CONTROL: dict[str, Validator] = {"cache_control": ANYTHING}
TEXT = Struct("TextPart", {"text": STRING}, CACHE_CONTROL)
SOURCE = TaggedEnum(
    "type",
    {
        "base64": Struct("ImageSource", {"media_type": STRING, "data": STRING}),
        "url": Struct("ImageSource", {"url": STRING}),
    },
)
IMAGE = Struct("ImagePart", {"source": SOURCE}, CACHE_CONTROL)
TOOL_RESULT_CONTENT = UntaggedEnum(
    "ToolResultContent",
    {str: STRING, list: ArrayOf(TaggedEnum("type", {"text": TEXT, "image": IMAGE}))},
)
PARTS: dict[str, Validator] = {
    "text": TEXT,
    "image": IMAGE,
    "tool_use": Struct("ToolUse", {"id": STRING, "name": STRING, "input": ANYTHING}, CACHE_CONTROL),
    "tool_result": Struct(
        "ToolResult",
        {"tool_use_id": STRING, "content": TOOL_RESULT_CONTENT},
        {"is_error": BOOLEAN, **CACHE_CONTROL},
    ),
    "thinking": Struct("Thinking", {"thinking": STRING}, {"signature": STRING}),
    "redacted_thinking": Struct("RedactedThinking", {"data": STRING}),
}
CONTENT = UntaggedEnum("MessageContent", {str: STRING, list: ArrayOf(TaggedEnum("type", PARTS))})
MESSAGE = Struct(
    "MessageBody", {"role": StringEnum(("user", "assistant", "system")), "content": CONTENT}
)
TOOL = Struct(
    "MessageTools",
    {
        "name": STRING,
        "description": STRING,
        "input_schema": Struct(
            "MessageToolInputSchema",
            {"type": STRING, "properties": ANYTHING},
            {"required": ArrayOf(STRING)},
            open=True,
        ),
    },
    CACHE_CONTROL,
)
SINGLE_TOOL: dict[str, Validator] = {"disable_parallel_tool_use": BOOLEAN}
TOOL_CHOICE = TaggedEnum(
    "type",
    {
        **dict.fromkeys(("auto", "any"), Struct("MessageToolChoice", {}, SINGLE_TOOL)),
        "tool": Struct("MessageToolChoice", {"name": STRING}, SINGLE_TOOL),
    },
)
METADATA = Struct("MessageMetadata", {}, {"user_id": STRING})
MESSAGE_REQUEST = Struct(
    "MessageRequest",
    {"messages": ArrayOf(MESSAGE), "max_tokens": INTEGER},
    {
        "model": STRING,
        "metadata": METADATA,
        "stop_sequences": ArrayOf(STRING),
        "stream": BOOLEAN,
        "system": UntaggedEnum(
            "SystemMessageContent", {str: STRING, list: ArrayOf(TaggedEnum("type", {"text": TEXT}))}
        ),
        "temperature": NUMBER,
        "tool_choice": TOOL_CHOICE,
        "tools": ArrayOf(TOOL),
        "top_k": INTEGER,
        "top_p": NUMBER,
    },
)
