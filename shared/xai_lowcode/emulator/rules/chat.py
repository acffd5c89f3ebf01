"""Chat requests that have the right type, but that xAI refuses."""

import json
from collections.abc import Collection
from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.image_input import check_image
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import (
    ProviderError,
    bad_request,
    check_range,
    coded_error,
    invalid_argument,
)
from xai_lowcode.emulator.rules.json_schema import check_schema

MAX_TOOLS = 200
# A tool message may have a name, which is ignored.
ROLES_WITH_NAME = frozenset({"user", "tool"})
MAX_STOPS = 4
NO_CONTENT = "Each message must have at least one content element."
SINGLE_TEXT = "The model expects a single `text` element per message."
NO_TOOLS = "A tool_choice was set on the request but no tools were specified."
LIVE_SEARCH = (
    "Live search is deprecated. Please switch to the Agent Tools API: "
    "https://docs.x.ai/docs/guides/tools/overview"
)
DEPRECATED = (
    "The model {} was deprecated on {} and is no longer accessible via the API. "
    "Please use {} instead."
)
# Lower bound, upper bound, and whether the lower bound is allowed.
RANGES: dict[str, tuple[float, float, bool]] = {
    "temperature": (0, 2, True),
    "top_p": (0, 1, False),
    "presence_penalty": (-2, 2, True),
    "frequency_penalty": (-2, 2, True),
    "n": (1, 128, True),
    "top_logprobs": (0, 8, True),
    "max_tokens": (1, 2**31, True),
    "max_completion_tokens": (1, 2**31, True),
}
NOT_FOR_REASONING = {
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "stop": "stop",
}


def check_request(body: Json) -> None:
    """Raise the error with which xAI refuses a request.

    Raises:
        ProviderError: The request is refused.
    """
    _check_live_search(body)
    _check_ranges(body)
    _check_model_support(body)
    _check_contents(body)
    _check_tool_results(body)
    _check_tools(body)
    _check_tool_choice(body)
    _check_response_format(body)


def check_model(body: Json, extra: Collection[str]) -> None:
    """Check that the model exists, or is one of the extra names, and is not deprecated."""
    model = body.get("model") or ""
    if model in models.DEPRECATED:
        date, replacement = models.DEPRECATED[model]
        raise coded_error(404, "not-found", DEPRECATED.format(model, date, replacement))
    if not models.exists(model, extra):
        raise bad_request(f"Model not found: {model}")


def check_chat_model(body: Json, extra: Collection[str]) -> None:
    """Check that the model supports chat completions."""
    check_model(body, extra)
    if models.NO_TEXT.match(body["model"]) or models.MULTI_AGENT.match(body["model"]):
        raise bad_request(f"Model {body['model']} does not support chat completions.")


def _check_live_search(body: Json) -> None:
    has_tool = any(tool["type"] == "live_search" for tool in body.get("tools") or [])
    if has_tool or body.get("search_parameters") is not None:
        raise ProviderError(410, {"error": LIVE_SEARCH})


def _check_ranges(body: Json) -> None:
    for name, (low, high, from_low) in RANGES.items():
        if body.get(name) is not None:
            check_range(name, body[name], low, high, from_low=from_low)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise invalid_argument("top_logprobs requires logprobs to be set to true")
    if len(body.get("stop") or []) > MAX_STOPS:
        raise invalid_argument(f"stop takes at most {MAX_STOPS} sequences")


def _check_model_support(body: Json) -> None:
    model = body["model"]
    for name, shown_name in NOT_FOR_REASONING.items():
        # An empty list of stop sequences is allowed.
        if body.get(name) in (None, []):
            continue
        if models.is_reasoning(model) or (
            name == "presence_penalty" and model.startswith("grok-3")
        ):
            raise bad_request(models.refusal(model, shown_name))
    for name in ("stop", "deferred"):
        if body.get("guidelines") is not None and body.get(name):
            raise invalid_argument(f"guidelines cannot be used with {name}")
    effort = body.get("reasoning_effort")
    error = None if effort is None else models.effort_error(model, effort)
    if error is not None:
        raise bad_request(error)


def _check_contents(body: Json) -> None:
    if not body["messages"]:
        raise invalid_argument("messages must not be empty")
    for message in body["messages"]:
        content = message.get("content")
        # With tool calls the content may be missing or empty, but not null.
        only_calls = bool(message.get("tool_calls")) and message.get("content", "") == ""
        empty_result = message["role"] == "tool" and content == ""
        if not (content or only_calls or empty_result):
            raise bad_request(NO_CONTENT)
        if isinstance(content, list):
            _check_parts(content, body["model"])
        if message.get("name") is not None and message["role"] not in ROLES_WITH_NAME:
            raise invalid_argument(f"name is not allowed on {message['role']} messages")


def _check_parts(parts: list[Json], model: str) -> None:
    if models.TEXT_ONLY.match(model) and [part["type"] for part in parts] != ["text"]:
        raise bad_request(SINGLE_TEXT)
    for part in parts:
        if part["type"] == "image_url":
            check_image(part["image_url"])
        elif part["type"] == "file" and not any(
            part["file"].get(key) for key in ("file_id", "url")
        ):
            raise invalid_argument("a file needs file_id or url")


def _check_tool_results(body: Json) -> None:
    """Check that every tool call has exactly one result, before any other message."""
    open_calls: dict[str, None] = {}
    resolved: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            _check_result(message.get("tool_call_id"), open_calls, resolved)
            continue
        _check_no_open_call(open_calls)
        open_calls, resolved = _check_call_ids(message.get("tool_calls") or []), set()
    _check_no_open_call(open_calls)


def _check_no_open_call(open_calls: dict[str, None]) -> None:
    for call_id in open_calls:
        raise bad_request(f"No tool output found for function call {call_id}.")


def _check_result(call_id: str | None, open_calls: dict[str, None], resolved: set[str]) -> None:
    if call_id in resolved:
        raise bad_request(f"Duplicate tool output for function call {call_id}.")
    if call_id is None or call_id not in open_calls:
        raise bad_request(f"No tool call found for function call output with call_id {call_id}.")
    del open_calls[call_id]
    resolved.add(call_id)


def _check_call_ids(calls: list[Json]) -> dict[str, None]:
    ids = dict.fromkeys(str(call["id"]) for call in calls)
    if len(ids) < len(calls):
        raise invalid_argument("duplicate tool call ids in one message")
    for call in calls:
        try:
            arguments: Any = json.loads(call["function"]["arguments"])
        except (ValueError, RecursionError):
            arguments = None
        if not isinstance(arguments, dict):
            raise invalid_argument(f"arguments of tool call {call['id']} are not JSON")
    return ids


def _check_tools(body: Json) -> None:
    tools = body.get("tools") or []
    if len(tools) > MAX_TOOLS:
        raise invalid_argument(
            f"Maximum tools limit reached. {len(tools)} tools have been provided but the maximum is"
            f" {MAX_TOOLS}."
        )
    names = [tool["function"]["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise invalid_argument("duplicate tool names")
    for tool in tools:
        name = tool["function"]["name"]
        if not name:
            raise invalid_argument("a tool needs a name")
        if name == "tool_search":
            raise bad_request(f"The function name {name} is reserved for the {name} tool")
        check_schema(name, tool["function"]["parameters"])


def _check_tool_choice(body: Json) -> None:
    choice = body.get("tool_choice")
    names = [tool["function"]["name"] for tool in body.get("tools") or []]
    if choice not in (None, "none") and not names:
        raise bad_request(NO_TOOLS)
    if isinstance(choice, dict):
        function = choice.get("function") or {}
        name = function.get("name")
        if (function or choice["type"] == "function") and name not in names:
            raise invalid_argument(f"tool_choice names no tool of the request: {name}")


def _check_response_format(body: Json) -> None:
    response_format = body.get("response_format") or {}
    if response_format.get("type") == "json_schema":
        schema = response_format["json_schema"]
        if not schema["name"]:
            raise invalid_argument("response_format.json_schema needs a name")
        check_schema(schema["name"], schema["schema"])
