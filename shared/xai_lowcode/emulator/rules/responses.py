"""What xAI refuses in a responses request beyond what it refuses in a chat."""

import re
from collections.abc import Callable
from typing import Any

from xai_lowcode.emulator.handler_types import Json, invalid
from xai_lowcode.emulator.rules.chat import check_model

MULTI_AGENT = re.compile(r".*multi-agent")
NO_TALK = re.compile(r"grok-imagine|grok-2-image")
UNSUPPORTED_IN_SEARCH = ("user_location", "search_context_size", "external_web_access")
MOST_DOMAINS = 5
MOST_HANDLES = 20
LISTS = {
    "web_search": (("allowed_domains", "excluded_domains"), MOST_DOMAINS),
    "x_search": (("allowed_x_handles", "excluded_x_handles"), MOST_HANDLES),
}
TOGETHER = "Invalid argument: instructions and previous_response_id cannot be used together"


def check_responses_request(body: Json) -> None:
    """Raises what xAI would answer, if it would refuse."""
    for rule in RULES:
        rule(body)


def _model(body: Json) -> None:
    check_model(body)
    model = body["model"]
    if NO_TALK.match(model):
        raise invalid(f"Model {model} does not support responses.")
    if not MULTI_AGENT.match(model):
        return
    if any(tool["type"] == "function" for tool in body.get("tools") or []):
        raise invalid(f"Model {model} does not support client-side tools.")
    if body.get("max_output_tokens") is not None:
        raise invalid("Argument not supported on this model: maxTokens")


def _input(body: Json) -> None:
    if not body["input"] and not body.get("previous_response_id"):
        raise invalid("Invalid argument: input must not be empty")
    if body.get("instructions") and body.get("previous_response_id"):
        raise invalid(TOGETHER)


def _limits(body: Json) -> None:
    for name in ("max_output_tokens", "max_turns"):
        value = body.get(name)
        if value is not None and value < 1:
            raise invalid(f"Invalid argument: {name} must be positive, got {value}")


def _tools(body: Json) -> None:
    tools = body.get("tools") or []
    if body.get("tool_choice") not in (None, "none") and not tools:
        raise invalid("A tool_choice was set on the request but no tools were specified.")
    for tool in tools:
        if tool["type"] == "web_search":
            _web_search(tool)
        names, most = LISTS.get(tool["type"], ((), 0))
        _one_list(tool, names, most)


def _web_search(tool: Json) -> None:
    for name in UNSUPPORTED_IN_SEARCH:
        if tool.get(name) is not None:
            raise invalid(f"Argument not supported: tools[].web_search.{name}")


def _one_list(tool: Json, names: tuple[str, ...], most: int) -> None:
    # Lists of domains may also stand below `filters`.
    members: Json = {**tool, **(tool.get("filters") or {})} if names else {}
    given: list[Any] = [members[name] for name in names if members.get(name)]
    if len(given) > 1:
        raise invalid(f"Invalid argument: {' and '.join(names)} cannot be used together")
    if any(len(values) > most for values in given):
        raise invalid(f"Invalid argument: a maximum of {most} entries in {' or '.join(names)}")


RULES: tuple[Callable[[Json], None], ...] = (_model, _input, _limits, _tools)
