"""Reading a responses request as a chat, so that the same model answers it."""

from collections.abc import Iterable
from typing import Any

from xai_lowcode.emulator.handler_types import Json, invalid

ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
SAME = (
    *("model", "temperature", "top_p", "logprobs", "top_logprobs", "parallel_tool_calls"),
    *("search_parameters", "user"),
)


def items_of(given: Any) -> list[Json]:
    """Reads the input as items; a text is what the user says."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": given}]
    return list(given)


def as_chat(body: Json, items: Iterable[Json]) -> Json:
    """Translates a request whose input is these items."""
    chat: Json = {name: body[name] for name in SAME if body.get(name) is not None}
    chat["messages"] = _messages(body, items)
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    asked = effort(body)
    if asked is not None:
        chat["reasoning_effort"] = asked
    tools = [_tool(tool) for tool in body.get("tools") or [] if tool["type"] == "function"]
    if tools:
        chat |= {"tools": tools, "tool_choice": _choice(body.get("tool_choice"))}
    form = (body.get("text") or {}).get("format")
    if form:
        chat["response_format"] = _format(form)
    return chat


def effort(body: Json) -> str | None:
    """Tells how much thought is asked for."""
    found = (body.get("reasoning") or {}).get("effort") or body.get("reasoning_effort")
    return None if found is None else str(found)


def _messages(body: Json, items: Iterable[Json]) -> list[Json]:
    found: list[Json] = []
    if body.get("instructions"):
        found.append({"role": "system", "content": body["instructions"]})
    # A call belongs to what the assistant has just said, or to the calls beside it.
    speaking = False
    for item in items:
        kind = item.get("type") or "message"
        if kind == "message":
            found.append({"role": _role(item), "content": _content(item["content"])})
        elif kind == "function_call_output":
            content = _content(item["output"])
            found.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
        elif kind == "function_call":
            if not speaking:
                found.append({"role": "assistant", "content": ""})
            found[-1].setdefault("tool_calls", []).append(_call(item))
        else:
            # Thoughts and the provider's own tools leave no message behind.
            continue
        speaking = found[-1]["role"] == "assistant"
    return found


def _role(item: Json) -> str:
    if item["role"] not in ROLES:
        raise invalid(f"Invalid argument: unknown role {item['role']}")
    return ROLES[item["role"]]


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [PARTS[part["type"]](part) for part in content]


def _image(part: Json) -> Json:
    place = {"url": part.get("image_url"), "file_id": part.get("file_id")}
    return {"type": "image_url", "image_url": {key: text for key, text in place.items() if text}}


def _file(part: Json) -> Json:
    place = {"file_id": part.get("file_id"), "url": part.get("file_url") or part.get("file_data")}
    return {"type": "file", "file": {key: text for key, text in place.items() if text}}


def _call(item: Json) -> Json:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _tool(tool: Json) -> Json:
    function = {key: value for key, value in tool.items() if key not in {"type", "strict"}}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        named = {"function": {"name": choice["name"]}} if choice.get("name") else {}
        return {"type": choice["type"], **named}
    return choice


def _format(form: Json) -> Json:
    if form["type"] != "json_schema":
        return form
    inner = {key: value for key, value in form.items() if key != "type"}
    return {"type": "json_schema", "json_schema": {"name": "response", **inner}}


PARTS = {
    "input_text": lambda part: {"type": "text", "text": part["text"]},
    "output_text": lambda part: {"type": "text", "text": part["text"]},
    "refusal": lambda part: {"type": "text", "text": part["refusal"]},
    "input_image": _image,
    "input_file": _file,
}
