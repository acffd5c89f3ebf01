"""The body of a Responses request."""

from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.schemas.chat import FUNCTION, SERVICE_TIER, TOOL_MODE
from xai_lowcode.emulator.validation import (
    ANYTHING,
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    ArrayOf,
    DeserializationError,
    Struct,
    TaggedEnum,
    UntaggedEnum,
    Validator,
    fail,
)

NO_VARIANT = "data did not match any variant of untagged enum ModelInput"
CONTENT_ITEM = TaggedEnum(
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
CONTENT = UntaggedEnum("ModelInputContent", {str: STRING, list: ArrayOf(CONTENT_ITEM)})
ID_AND_STATUS: dict[str, Validator] = {"id": STRING, "status": STRING}
MESSAGE = Struct("Message", {"role": STRING, "content": CONTENT}, {"name": STRING, **ID_AND_STATUS})
SUMMARY = ArrayOf(Struct("SummaryText", {"text": STRING}, {"type": STRING}))


def _item(required: dict[str, Validator], **optional: Validator) -> Struct:
    return Struct("ModelInputPart", required, {**ID_AND_STATUS, **optional}, open=True)


ITEMS: dict[str, Validator] = {
    "message": MESSAGE,
    "reasoning": _item({"summary": SUMMARY}, encrypted_content=STRING, content=ANYTHING),
    "function_call": _item({"call_id": STRING, "name": STRING, "arguments": STRING}),
    "function_call_output": _item({"call_id": STRING, "output": CONTENT}),
    "custom_tool_call": _item({"call_id": STRING, "name": STRING}, input=STRING),
    "web_search_call": _item({}),
    "x_search_call": _item({}),
    "code_interpreter_call": _item({}),
    "file_search_call": _item({}, queries=ArrayOf(STRING)),
    "mcp_call": _item({"name": STRING, "server_label": STRING}),
    "image_generation_call": _item({}, result=STRING),
    "view_image_call": _item({}),
    "view_x_video_call": _item({}),
    "shell_call": _item({"call_id": STRING, "action": ANYTHING}),
    "shell_call_output": _item({"call_id": STRING, "output": ANYTHING}),
    "compaction": _item({"encrypted_content": STRING}),
}


@dataclass(frozen=True)
class InputItem:
    """One item of the input. It is an untagged enum: a mismatch is reported without its path."""

    def validate(self, value: Any, path: str, ignored: list[str]) -> None:
        """Select the item type by `type`, which a message does not need."""
        kind = (value.get("type") or "message") if isinstance(value, dict) else None
        item = ITEMS.get(kind) if isinstance(kind, str) else None
        if item is None:
            fail("", NO_VARIANT)
        fields = {name: content for name, content in value.items() if name != "type"}
        try:
            item.validate(fields, path, ignored)
        except DeserializationError:
            fail("", NO_VARIANT)


FILTERS: dict[str, Validator] = {
    "allowed_domains": ArrayOf(STRING),
    "excluded_domains": ArrayOf(STRING),
}
TOOL = TaggedEnum(
    "type",
    {
        "function": FUNCTION,
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
                "allowed_x_handles": ArrayOf(STRING),
                "excluded_x_handles": ArrayOf(STRING),
                "from_date": STRING,
                "to_date": STRING,
                "enable_image_understanding": BOOLEAN,
                "enable_video_understanding": BOOLEAN,
            },
        ),
        "code_interpreter": Struct("CodeInterpreter", {}, {"container": ANYTHING}),
        "file_search": Struct(
            "FileSearch",
            {"vector_store_ids": ArrayOf(STRING)},
            {"filters": ANYTHING, "max_num_results": INTEGER, "ranking_options": ANYTHING},
        ),
        "mcp": Struct(
            "Mcp",
            {"server_label": STRING, "server_url": STRING},
            {
                "allowed_tools": ArrayOf(STRING),
                "authorization": STRING,
                "connector_id": STRING,
                "headers": OBJECT,
                "require_approval": STRING,
                "server_description": STRING,
            },
        ),
        "image_generation": Struct("ImageGeneration", {}, {"action": STRING}, open=True),
        "shell": Struct("Shell", {"environment": ANYTHING}),
        "view_image": Struct("ViewImage"),
        "view_x_video": Struct("ViewXVideo"),
    },
)
FORMAT = TaggedEnum(
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
TOOL_CHOICE = UntaggedEnum(
    "ModelToolChoice",
    {str: TOOL_MODE, dict: Struct("FunctionChoice", {"type": STRING}, {"name": STRING})},
)
REASONING = Struct(
    "ReasoningConfiguration",
    {},
    {"effort": STRING, "summary": STRING, "generate_summary": STRING},
)
MODEL_REQUEST = Struct(
    "ModelRequest",
    {"input": UntaggedEnum("ModelInput", {str: STRING, list: ArrayOf(InputItem())})},
    {
        "background": BOOLEAN,
        "context_management": ANYTHING,
        "guidelines": ANYTHING,
        "include": ArrayOf(STRING),
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
        "safety_identifier": STRING,
        "search_parameters": ANYTHING,
        "seed": INTEGER,
        "service_tier": SERVICE_TIER,
        "store": BOOLEAN,
        "stream": BOOLEAN,
        "temperature": NUMBER,
        "text": Struct("ModelResponseConfiguration", {}, {"format": FORMAT, "verbosity": STRING}),
        "tool_choice": TOOL_CHOICE,
        "tools": ArrayOf(TOOL),
        "top_k": INTEGER,
        "top_logprobs": INTEGER,
        "top_p": NUMBER,
        "truncation": STRING,
        "user": STRING,
    },
)
