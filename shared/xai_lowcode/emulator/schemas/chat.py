"""The body of a Chat Completions request."""

from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    ArrayOf,
    Nullable,
    StringEnum,
    Struct,
    TaggedEnum,
    UntaggedEnum,
    Validator,
)

TEXT = Struct("TextPart", {"text": STRING})
IMAGE_URL = Struct("ImageUrl", {}, {"url": STRING, "file_id": STRING, "detail": STRING})
PARTS: dict[str, Validator] = {
    "text": TEXT,
    "image_url": Struct("ImagePart", {"image_url": IMAGE_URL}),
    "text_file": Struct("TextFilePart", {"text": STRING}),
    "file": Struct(
        "FilePart",
        {"file": Struct("FileRef", {}, {"file_id": STRING, "url": STRING})},
    ),
}
PARTS_BY_ROLE = {
    "system": ("text",),
    "user": tuple(PARTS),
    "assistant": ("text",),
    "tool": ("text", "image_url", "file"),
    "function": ("text",),
}
FUNCTION_CALL = Struct("Function", {"name": STRING, "arguments": STRING})
TOOL_CALL = Struct(
    "ToolCall", {"id": STRING, "function": FUNCTION_CALL}, {"index": INTEGER, "type": STRING}
)
EXTRA_FIELDS: dict[str, dict[str, Validator]] = {
    "system": {},
    "user": {},
    "assistant": {"reasoning_content": STRING, "tool_calls": ArrayOf(TOOL_CALL)},
    "tool": {"tool_call_id": STRING},
    "function": {},
}


def _content(role: str) -> Validator:
    part = TaggedEnum("type", {name: PARTS[name] for name in PARTS_BY_ROLE[role]})
    return Nullable(UntaggedEnum("Content", {str: STRING, list: ArrayOf(part)}))


def _message(role: str) -> Struct:
    content = {"content": _content(role)}
    # The service ignores `name` on a tool message.
    named: dict[str, Validator] = {} if role == "tool" else {"name": STRING}
    optional: dict[str, Validator] = {**named, **EXTRA_FIELDS[role]}
    if role == "assistant":
        return Struct("Message", {}, {**content, **optional})
    return Struct("Message", content, optional)


FUNCTION = Struct(
    "FunctionDefinition",
    {"name": STRING, "parameters": ANYTHING},
    {"description": STRING, "strict": BOOLEAN},
)
TOOL = TaggedEnum(
    "type",
    {
        "function": Struct("Tool", {"function": FUNCTION}),
        "live_search": Struct("Tool", {}, {"sources": ANYTHING}),
    },
)
TOOL_MODE = StringEnum(("none", "auto", "required"))
TOOL_CHOICE = UntaggedEnum(
    "ToolChoice",
    {
        str: TOOL_MODE,
        dict: Struct(
            "ToolChoice",
            # The service accepts other types than `function` and ignores the choice then.
            {"type": STRING},
            {"function": Struct("FunctionChoice", {"name": STRING})},
        ),
    },
)
RESPONSE_FORMAT = TaggedEnum(
    "type",
    {
        "text": Struct("ResponseFormat"),
        "json_object": Struct("ResponseFormat"),
        "json_schema": Struct(
            "ResponseFormat",
            {
                "json_schema": Struct(
                    "JsonSchema",
                    {"name": STRING, "schema": OBJECT},
                    {"strict": BOOLEAN, "description": STRING},
                )
            },
        ),
    },
)
SERVICE_TIER = StringEnum(("auto", "default", "priority"))
STREAM_OPTIONS = Struct("StreamOptions", {"include_usage": BOOLEAN})
CHAT_REQUEST = Struct(
    "ChatRequest",
    {"messages": ArrayOf(TaggedEnum("role", {role: _message(role) for role in PARTS_BY_ROLE}))},
    {
        "model": STRING,
        "deferred": BOOLEAN,
        "frequency_penalty": NUMBER,
        "guidelines": ANYTHING,
        "logit_bias": OBJECT,
        "logprobs": BOOLEAN,
        "max_completion_tokens": INTEGER,
        "max_tokens": INTEGER,
        "n": INTEGER,
        "parallel_function_calling": BOOLEAN,
        "parallel_tool_calls": BOOLEAN,
        "presence_penalty": NUMBER,
        "prompt_cache_key": STRING,
        "reasoning_effort": STRING,
        "response_format": RESPONSE_FORMAT,
        "safety_identifier": STRING,
        "search_parameters": ANYTHING,
        "seed": INTEGER,
        "service_tier": SERVICE_TIER,
        "stop": ArrayOf(STRING),
        "stream": BOOLEAN,
        "stream_options": STREAM_OPTIONS,
        "temperature": NUMBER,
        "tool_choice": TOOL_CHOICE,
        "tools": ArrayOf(TOOL),
        "top_logprobs": INTEGER,
        "top_p": NUMBER,
        "user": STRING,
        "web_search_options": ANYTHING,
    },
)
