"""Responses requests that xAI refuses, beyond the rules for chat requests."""

from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import bad_request, invalid_argument
from xai_lowcode.emulator.rules.chat import NO_TOOLS

# Fields of OpenAI's tools that xAI refuses.
UNSUPPORTED_IN_TOOLS: dict[str, tuple[str, ...]] = {
    "web_search": ("user_location", "search_context_size", "external_web_access"),
    "code_interpreter": ("container",),
}
INCLUDES = frozenset(
    {
        *("reasoning.encrypted_content", "web_search_call.action.sources"),
        *("file_search_call.results", "code_interpreter_call.outputs", "no_inline_citations"),
    }
)
MAX_DOMAINS = 5
MAX_HANDLES = 20
LISTS = {
    "web_search": (("allowed_domains", "excluded_domains"), MAX_DOMAINS),
    "x_search": (("allowed_x_handles", "excluded_x_handles"), MAX_HANDLES),
}


def check_responses_request(body: Json) -> None:
    """Raise the error with which xAI refuses a request.

    Raises:
        ProviderError: The request is refused.
    """
    _check_model(body)
    _check_input(body)
    _check_limits(body)
    _check_tools(body)


def _check_model(body: Json) -> None:
    model = body["model"]
    if models.NO_TEXT.match(model):
        raise bad_request(f"Model {model} does not support responses.")
    if not models.MULTI_AGENT.match(model):
        return
    if any(tool["type"] == "function" for tool in body.get("tools") or []):
        raise bad_request(f"Model {model} does not support client-side tools.")
    if body.get("max_output_tokens") is not None:
        raise bad_request(models.refusal(model, "maxTokens"))
    if body.get("guidelines") is not None:
        raise bad_request(models.refusal(model, "guidelines"))


def _check_input(body: Json) -> None:
    if not body["input"] and not body.get("previous_response_id"):
        raise invalid_argument("input must not be empty")
    if body.get("instructions") and body.get("previous_response_id"):
        raise invalid_argument("instructions and previous_response_id cannot be used together")


def _check_limits(body: Json) -> None:
    for name in body.get("include") or ():
        if name not in INCLUDES:
            raise invalid_argument(f"unknown value of include: {name}")
    for name in ("max_output_tokens", "max_turns"):
        value = body.get(name)
        if value is not None and value < 1:
            raise invalid_argument(f"{name} must be positive, got {value}")


def _check_tools(body: Json) -> None:
    tools = body.get("tools") or []
    if body.get("tool_choice") not in (None, "none") and not tools:
        raise bad_request(NO_TOOLS)
    for tool in tools:
        for name in UNSUPPORTED_IN_TOOLS.get(tool["type"], ()):
            if tool.get(name) is not None:
                raise bad_request(f"Argument not supported: tools[].{tool['type']}.{name}")
        names, limit = LISTS.get(tool["type"], ((), 0))
        _check_lists(tool, names, limit)


def _check_lists(tool: Json, names: tuple[str, ...], limit: int) -> None:
    # Lists of domains can also be in `filters`.
    fields: Json = {**tool, **(tool.get("filters") or {})} if names else {}
    lists: list[Any] = [fields[name] for name in names if fields.get(name)]
    if len(lists) > 1:
        raise invalid_argument(f"{' and '.join(names)} cannot be used together")
    if any(len(values) > limit for values in lists):
        raise invalid_argument(f"a maximum of {limit} entries in {' or '.join(names)}")
