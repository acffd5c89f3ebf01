"""The type of a messages request."""

from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    STRING,
    Either,
    Listed,
    Shape,
    Struct,
    Tagged,
    Word,
)

CACHED: dict[str, Shape] = {"cache_control": ANYTHING}
TEXT = Struct("TextPart", {"text": STRING}, CACHED)
SOURCE = Tagged(
    "type",
    {
        "base64": Struct("ImageSource", {"media_type": STRING, "data": STRING}),
        "url": Struct("ImageSource", {"url": STRING}),
    },
)
IMAGE = Struct("ImagePart", {"source": SOURCE}, CACHED)
RESULT = Either(
    "ToolResultContent",
    {str: STRING, list: Listed(Tagged("type", {"text": TEXT, "image": IMAGE}))},
)
PARTS: dict[str, Shape] = {
    "text": TEXT,
    "image": IMAGE,
    "tool_use": Struct("ToolUse", {"id": STRING, "name": STRING, "input": ANYTHING}, CACHED),
    "tool_result": Struct(
        "ToolResult", {"tool_use_id": STRING, "content": RESULT}, {"is_error": BOOLEAN, **CACHED}
    ),
    "thinking": Struct("Thinking", {"thinking": STRING}, {"signature": STRING}),
    "redacted_thinking": Struct("RedactedThinking", {"data": STRING}),
}
CONTENT = Either("MessageContent", {str: STRING, list: Listed(Tagged("type", PARTS))})
MESSAGE = Struct("MessageBody", {"role": Word(("user", "assistant", "system")), "content": CONTENT})
TOOL = Struct(
    "MessageTools",
    {
        "name": STRING,
        "description": STRING,
        "input_schema": Struct(
            "MessageToolInputSchema",
            {"type": STRING, "properties": ANYTHING},
            {"required": Listed(STRING)},
            open=True,
        ),
    },
    CACHED,
)
TOOL_CHOICE = Tagged(
    "type",
    {
        "auto": Struct("MessageToolChoice"),
        "any": Struct("MessageToolChoice"),
        "tool": Struct("MessageToolChoice", {"name": STRING}),
    },
)
MESSAGE_REQUEST = Struct(
    "MessageRequest",
    {"messages": Listed(MESSAGE), "max_tokens": INTEGER},
    {
        "model": STRING,
        "metadata": Struct("MessageMetadata", {}, {"user_id": STRING}),
        "stop_sequences": Listed(STRING),
        "stream": BOOLEAN,
        "system": Either(
            "SystemMessageContent", {str: STRING, list: Listed(Tagged("type", {"text": TEXT}))}
        ),
        "temperature": NUMBER,
        "tool_choice": TOOL_CHOICE,
        "tools": Listed(TOOL),
        "top_k": INTEGER,
        "top_p": NUMBER,
    },
)
