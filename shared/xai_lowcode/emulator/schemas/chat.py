"""The type of a chat request: every member that xAI knows, and nothing it does not."""

from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Either,
    Listed,
    Maybe,
    Shape,
    Struct,
    Tagged,
    Word,
)

TEXT = Struct("TextPart", {"text": STRING})
IMAGE_URL = Struct("ImageUrl", {}, {"url": STRING, "file_id": STRING, "detail": STRING})
PARTS: dict[str, Shape] = {
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
EXTRAS: dict[str, dict[str, Shape]] = {
    "system": {},
    "user": {},
    "assistant": {"reasoning_content": STRING, "tool_calls": Listed(TOOL_CALL)},
    "tool": {"tool_call_id": STRING},
    "function": {},
}


def _content(role: str) -> Shape:
    part = Tagged("type", {name: PARTS[name] for name in PARTS_BY_ROLE[role]})
    return Maybe(Either("Content", {str: STRING, list: Listed(part)}))


def _message(role: str) -> Struct:
    content = {"content": _content(role)}
    # A name on a tool message is no member of its type: the service was seen to pass over it.
    named: dict[str, Shape] = {} if role == "tool" else {"name": STRING}
    optional: dict[str, Shape] = {**named, **EXTRAS[role]}
    if role == "assistant":
        return Struct("Message", {}, {**content, **optional})
    return Struct("Message", content, optional)


FUNCTION = Struct(
    "FunctionDefinition",
    {"name": STRING, "parameters": ANYTHING},
    {"description": STRING, "strict": BOOLEAN},
)
TOOL = Tagged(
    "type",
    {
        "function": Struct("Tool", {"function": FUNCTION}),
        "live_search": Struct("Tool", {}, {"sources": ANYTHING}),
    },
)
TOOL_CHOICE = Either(
    "ToolChoice",
    {
        str: Word(("none", "auto", "required")),
        dict: Struct(
            "ToolChoice",
            # Other types than `function` were seen to be taken, and to count as no choice.
            {"type": STRING},
            {"function": Struct("FunctionChoice", {"name": STRING})},
        ),
    },
)
RESPONSE_FORMAT = Tagged(
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
CHAT_REQUEST = Struct(
    "ChatRequest",
    {"messages": Listed(Tagged("role", {role: _message(role) for role in PARTS_BY_ROLE}))},
    {
        "model": STRING,
        "deferred": BOOLEAN,
        "frequency_penalty": NUMBER,
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
        "search_parameters": ANYTHING,
        "seed": INTEGER,
        "service_tier": Word(("auto", "default", "priority")),
        "stop": Listed(STRING),
        "stream": BOOLEAN,
        "stream_options": Struct("StreamOptions", {"include_usage": BOOLEAN}),
        "temperature": NUMBER,
        "tool_choice": TOOL_CHOICE,
        "tools": Listed(TOOL),
        "top_logprobs": INTEGER,
        "top_p": NUMBER,
        "user": STRING,
        "web_search_options": ANYTHING,
    },
)
