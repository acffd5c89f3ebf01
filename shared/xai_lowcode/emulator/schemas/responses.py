"""The type of a responses request; an item that is none of the known ones fits nothing."""

from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Either,
    Listed,
    MismatchError,
    Shape,
    Struct,
    Tagged,
    Word,
    fail,
)

NO_VARIANT = "data did not match any variant of untagged enum ModelInput"
CONTENT_ITEM = Tagged(
    "type",
    {
        "input_text": Struct("Text", {"text": STRING}),
        "output_text": Struct("Text", {"text": STRING}, {"annotations": ANYTHING}, open=True),
        "refusal": Struct("Refusal", {"refusal": STRING}),
        "input_image": Struct(
            "Image", {}, {"image_url": STRING, "file_id": STRING, "detail": STRING}
        ),
        "input_file": Struct(
            "File",
            {},
            {
                "file_data": STRING,
                "file_id": STRING,
                "file_url": STRING,
                "filename": STRING,
                "mime_type": STRING,
            },
        ),
    },
)
CONTENT = Either("ModelInputContent", {str: STRING, list: Listed(CONTENT_ITEM)})
NAMED: dict[str, Shape] = {"id": STRING, "status": STRING}
MESSAGE = Struct("Message", {"role": STRING, "content": CONTENT}, {"name": STRING, **NAMED})
SUMMARY = Listed(Struct("SummaryText", {"text": STRING}, {"type": STRING}))


def _item(required: dict[str, Shape], **optional: Shape) -> Struct:
    return Struct("ModelInputPart", required, {**NAMED, **optional}, open=True)


ITEMS: dict[str, Shape] = {
    "message": MESSAGE,
    "reasoning": _item({"summary": SUMMARY}, encrypted_content=STRING, content=ANYTHING),
    "function_call": _item({"call_id": STRING, "name": STRING, "arguments": STRING}),
    "function_call_output": _item({"call_id": STRING, "output": CONTENT}),
    "custom_tool_call": _item({"call_id": STRING, "name": STRING}, input=STRING),
    "web_search_call": _item({}),
    "x_search_call": _item({}),
    "code_interpreter_call": _item({}),
    "file_search_call": _item({}, queries=Listed(STRING)),
    "mcp_call": _item({"name": STRING, "server_label": STRING}),
    "image_generation_call": _item({}, result=STRING),
    "shell_call": _item({"call_id": STRING, "action": ANYTHING}),
    "shell_call_output": _item({"call_id": STRING, "output": ANYTHING}),
    "compaction": _item({"encrypted_content": STRING}),
}


@dataclass(frozen=True)
class Item:
    """One item of the input; what is wrong inside it is not told, as with any untagged enum."""

    items: dict[str, Shape] = field(default_factory=lambda: ITEMS)

    def read(self, value: Any, place: str, ignored: list[str]) -> None:
        """Chooses the shape by the type, which a message need not have."""
        kind = (value.get("type") or "message") if isinstance(value, dict) else None
        shape = self.items.get(kind) if isinstance(kind, str) else None
        if shape is None:
            fail("", NO_VARIANT)
        rest = {name: member for name, member in value.items() if name != "type"}
        try:
            shape.read(rest, place, ignored)
        except MismatchError:
            fail("", NO_VARIANT)


FILTERS: dict[str, Shape] = {
    "allowed_domains": Listed(STRING),
    "excluded_domains": Listed(STRING),
}
TOOL = Tagged(
    "type",
    {
        "function": Struct(
            "FunctionDefinition",
            {"name": STRING, "parameters": ANYTHING},
            {"description": STRING, "strict": BOOLEAN},
        ),
        "web_search": Struct(
            "WebSearch",
            {},
            {
                **FILTERS,
                "filters": Struct("WebSearchFilters", {}, FILTERS),
                "enable_image_search": BOOLEAN,
                "enable_image_understanding": BOOLEAN,
                "external_web_access": BOOLEAN,
                "search_context_size": STRING,
                "user_location": ANYTHING,
            },
        ),
        "x_search": Struct(
            "XSearch",
            {},
            {
                "allowed_x_handles": Listed(STRING),
                "excluded_x_handles": Listed(STRING),
                "from_date": STRING,
                "to_date": STRING,
                "enable_image_understanding": BOOLEAN,
                "enable_video_understanding": BOOLEAN,
            },
        ),
        "code_interpreter": Struct("CodeInterpreter", {}, {"container": ANYTHING}),
        "file_search": Struct(
            "FileSearch",
            {"vector_store_ids": Listed(STRING)},
            {"filters": ANYTHING, "max_num_results": INTEGER, "ranking_options": ANYTHING},
        ),
        "mcp": Struct(
            "Mcp",
            {"server_label": STRING, "server_url": STRING},
            {
                "allowed_tools": Listed(STRING),
                "authorization": STRING,
                "connector_id": STRING,
                "headers": OBJECT,
                "require_approval": STRING,
                "server_description": STRING,
            },
        ),
        "image_generation": Struct("ImageGeneration", {}, {"action": STRING}, open=True),
        "shell": Struct("Shell", {"environment": ANYTHING}),
    },
)
FORMAT = Tagged(
    "type",
    {
        "text": Struct("ModelResponseFormat"),
        "json_object": Struct("ModelResponseFormat"),
        "json_schema": Struct(
            "ModelResponseFormat",
            {"schema": OBJECT},
            {"name": STRING, "strict": BOOLEAN, "description": STRING},
        ),
    },
)
TOOL_CHOICE = Either(
    "ModelToolChoice",
    {
        str: Word(("none", "auto", "required")),
        dict: Struct("FunctionChoice", {"type": STRING}, {"name": STRING}),
    },
)
REASONING = Struct(
    "ReasoningConfiguration",
    {},
    {"effort": STRING, "summary": STRING, "generate_summary": STRING},
)
MODEL_REQUEST = Struct(
    "ModelRequest",
    {"input": Either("ModelInput", {str: STRING, list: Listed(Item())})},
    {
        "background": BOOLEAN,
        "context_management": ANYTHING,
        "include": Listed(STRING),
        "instructions": STRING,
        "logprobs": BOOLEAN,
        "max_output_tokens": INTEGER,
        "max_turns": INTEGER,
        "metadata": ANYTHING,
        "min_p": NUMBER,
        "model": STRING,
        "parallel_tool_calls": BOOLEAN,
        "previous_response_id": STRING,
        "prompt_cache_key": STRING,
        "reasoning": REASONING,
        "reasoning_effort": STRING,
        "search_parameters": ANYTHING,
        "service_tier": Word(("auto", "default", "priority")),
        "store": BOOLEAN,
        "stream": BOOLEAN,
        "temperature": NUMBER,
        "text": Struct("ModelResponseConfiguration", {}, {"format": FORMAT, "verbosity": STRING}),
        "tool_choice": TOOL_CHOICE,
        "tools": Listed(TOOL),
        "top_k": INTEGER,
        "top_logprobs": INTEGER,
        "top_p": NUMBER,
        "truncation": STRING,
        "user": STRING,
    },
)
