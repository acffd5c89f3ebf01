"""What xAI refuses in a chat request that has the right type, one rule after another."""

import json
from collections.abc import Callable, Iterator
from typing import Any

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator.fake_model.image_input import check_picture
from xai_lowcode.emulator.handler_types import Json, ProviderError, coded, invalid

UNIONS = ("anyOf", "oneOf")
LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
MAPS = ("properties", "$defs", "definitions", "patternProperties")
SINGLES = ("items", "additionalProperties", "not", "contains", "if", "then", "else")
NO_OBJECT = "{name}: tool parameter root must be an object type (root schema is {what})"
UNION_ROOT = "an anyOf/oneOf union with a non-object branch"


def check_schema(name: str, schema: Any) -> None:
    """Refuses a schema that xAI cannot compile; `name` says whose it is."""
    _check_root(name, schema)
    for place, node in _nodes(schema, "#"):
        for problem in _problems(node):
            raise invalid(f"{name}: Invalid arguments passed to the model. {problem} at {place}")


def _check_root(name: str, schema: Any) -> None:
    if not isinstance(schema, dict):
        raise invalid(NO_OBJECT.format(name=name, what="not a schema"))
    for union in UNIONS:
        if not all(_is_object(branch, schema) for branch in schema.get(union) or []):
            raise invalid(NO_OBJECT.format(name=name, what=UNION_ROOT))
    if not any(schema.get(union) for union in UNIONS) and not _is_object(schema, schema):
        what = f"of type {schema.get('type')}"
        raise invalid(NO_OBJECT.format(name=name, what=what))


def _is_object(schema: Any, root: Json) -> bool:
    if not isinstance(schema, dict):
        return False
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for step in reference.removeprefix("#/").split("/"):
            target = target.get(step, {}) if isinstance(target, dict) else {}
        return target is not schema and _is_object(target, root)
    # An empty schema stands for a tool without parameters.
    return bool(schema.get("type", "object") == "object")


def _nodes(schema: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Walks over all subschemas, with their places."""
    yield place, schema
    if not isinstance(schema, dict):
        return
    for key in MAPS:
        members = schema.get(key)
        for name, member in members.items() if isinstance(members, dict) else ():
            yield from _nodes(member, f"{place}/{key}/{name}")
    for key in LISTS:
        members = schema.get(key)
        for index, member in enumerate(members if isinstance(members, list) else ()):
            yield from _nodes(member, f"{place}/{key}/{index}")
    for key in SINGLES:
        if isinstance(schema.get(key), dict):
            yield from _nodes(schema[key], f"{place}/{key}")


def _problems(node: Any) -> Iterator[str]:
    if not isinstance(node, dict):
        yield "boolean schema"
        return
    for key in ("enum", "anyOf"):
        if node.get(key) == []:
            yield f"empty {key}"
    if isinstance(node.get("enum"), list) and None in node["enum"]:
        yield "null inside enum"
    if isinstance(node.get("items"), list):
        yield "array-form items"
    for key in ("minContains", "maxContains"):
        if key in node:
            yield f"unsupported {key}"


MAX_TOOLS = 128
# On a tool message the name is not even read.
NAMED_ROLES = frozenset({"user", "tool"})
MAX_STOPS = 4
NO_CONTENT = "Each message must have at least one content element."
SINGLE_TEXT = "The model expects a single `text` element per message."
NOT_SUPPORTED = "Argument not supported on this model: {}"
LIVE_SEARCH = (
    "Live search is deprecated. Please switch to the Agent Tools API: "
    "https://docs.x.ai/docs/guides/tools/overview"
)
DEPRECATED = (
    "The model {} was deprecated on {} and is no longer accessible via the API. "
    "Please use {} instead."
)
# Lower bound, upper bound, and whether the lower one is itself allowed.
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
    """Raises what xAI would answer, if it would refuse."""
    for rule in RULES:
        rule(body)


def check_model(body: Json) -> None:
    """Refuses a model that does not exist, or not any more."""
    model = body.get("model") or ""
    if model in catalogue.DEPRECATED:
        day, heir = catalogue.DEPRECATED[model]
        raise coded(404, "not-found", DEPRECATED.format(model, day, heir))
    if not catalogue.CHAT.match(model):
        raise invalid(f"Model not found: {model}")


def check_chat_model(body: Json) -> None:
    """Refuses a model that does not talk."""
    check_model(body)
    if catalogue.NO_CHAT.match(body["model"]):
        raise invalid(f"Model {body['model']} does not support chat completions.")


def _live_search(body: Json) -> None:
    asked = any(tool["type"] == "live_search" for tool in body.get("tools") or [])
    if asked or body.get("search_parameters") is not None:
        raise ProviderError(410, {"error": LIVE_SEARCH})


def _ranges(body: Json) -> None:
    for name, (low, high, inclusive) in RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        if not low <= value <= high or (value == low and not inclusive):
            raise invalid(f"Invalid argument: {name} must be between {low} and {high}, got {value}")
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        raise invalid("Invalid argument: top_logprobs requires logprobs to be set to true")
    if len(body.get("stop") or []) > MAX_STOPS:
        raise invalid(f"Invalid argument: stop takes at most {MAX_STOPS} sequences")


def _refused_by_model(body: Json) -> None:
    model = body["model"]
    for name, shown in NOT_FOR_REASONING.items():
        # An empty list of stop sequences is none.
        if body.get(name) in (None, []):
            continue
        if catalogue.reasons(model) or (name == "presence_penalty" and model.startswith("grok-3")):
            raise invalid(NOT_SUPPORTED.format(shown))
    effort = body.get("reasoning_effort")
    problem = None if effort is None else catalogue.effort_problem(model, effort)
    if problem is not None:
        raise invalid(problem)


def _contents(body: Json) -> None:
    if not body["messages"]:
        raise invalid("Invalid argument: messages must not be empty")
    for message in body["messages"]:
        content = message.get("content")
        # A replayed call may leave the content out or empty, not say null; a tool may be silent.
        bare_call = bool(message.get("tool_calls")) and message.get("content", "") == ""
        silent_tool = message["role"] == "tool" and content == ""
        if not (content or bare_call or silent_tool):
            raise invalid(NO_CONTENT)
        if isinstance(content, list):
            _parts(content, body["model"])
        if message.get("name") is not None and message["role"] not in NAMED_ROLES:
            raise invalid(f"Invalid argument: name is not allowed on {message['role']} messages")


def _parts(parts: list[Json], model: str) -> None:
    if catalogue.TEXT_ONLY.match(model) and [part["type"] for part in parts] != ["text"]:
        raise invalid(SINGLE_TEXT)
    for part in parts:
        if part["type"] == "image_url":
            check_picture(part["image_url"])
        elif part["type"] == "file" and not any(
            part["file"].get(key) for key in ("file_id", "url")
        ):
            raise invalid("Invalid argument: a file needs file_id or url")


def _calls_and_results(body: Json) -> None:
    """Sees to it that every call of a tool is answered, once, before anything else is said."""
    open_calls: list[str] = []
    answered: set[str] = set()
    for message in body["messages"]:
        if message["role"] == "tool":
            _result(message.get("tool_call_id"), open_calls, answered)
            continue
        if open_calls:
            raise invalid(f"No tool output found for function call {open_calls[0]}.")
        open_calls, answered = _opened(message.get("tool_calls") or []), set()
    if open_calls:
        raise invalid(f"No tool output found for function call {open_calls[0]}.")


def _result(call_id: str | None, open_calls: list[str], answered: set[str]) -> None:
    if call_id in answered:
        raise invalid(f"Duplicate tool output for function call {call_id}.")
    if call_id is None or call_id not in open_calls:
        raise invalid(f"No tool call found for function call output with call_id {call_id}.")
    open_calls.remove(call_id)
    answered.add(call_id)


def _opened(calls: list[Json]) -> list[str]:
    ids = [str(call["id"]) for call in calls]
    if len(set(ids)) < len(ids):
        raise invalid("Invalid argument: duplicate tool call ids in one message")
    for call in calls:
        try:
            arguments: Any = json.loads(call["function"]["arguments"])
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise invalid(f"Invalid argument: arguments of tool call {call['id']} are not JSON")
    return ids


def _tools(body: Json) -> None:
    tools = body.get("tools") or []
    if len(tools) > MAX_TOOLS:
        raise invalid(f"Invalid argument: a maximum of {MAX_TOOLS} tools are supported")
    names = [tool["function"]["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise invalid("Invalid argument: duplicate tool names")
    for tool in tools:
        name = tool["function"]["name"]
        if not name:
            raise invalid("Invalid argument: a tool needs a name")
        check_schema(name, tool["function"]["parameters"])


def _tool_choice(body: Json) -> None:
    choice = body.get("tool_choice")
    names = [tool["function"]["name"] for tool in body.get("tools") or []]
    if choice not in (None, "none") and not names:
        raise invalid("A tool_choice was set on the request but no tools were specified.")
    if isinstance(choice, dict):
        function = choice.get("function") or {}
        name = function.get("name")
        if (function or choice["type"] == "function") and name not in names:
            raise invalid(f"Invalid argument: tool_choice names no tool of the request: {name}")


def _response_format(body: Json) -> None:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        if not form["json_schema"]["name"]:
            raise invalid("Invalid argument: response_format.json_schema needs a name")
        check_schema(form["json_schema"]["name"], form["json_schema"]["schema"])


RULES: tuple[Callable[[Json], None], ...] = (
    _live_search,
    _ranges,
    _refused_by_model,
    _contents,
    _calls_and_results,
    _tools,
    _tool_choice,
    _response_format,
)
