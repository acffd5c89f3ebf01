"""Reading a messages request as a chat, so that the same model answers it."""

import json
from collections.abc import Iterator
from typing import Any

from xai_lowcode.emulator.answers import Json, invalid

# Which parts a message may hold, by who speaks.
ALLOWED = {
    "user": frozenset({"text", "image", "tool_result"}),
    "assistant": frozenset({"text", "tool_use", "thinking", "redacted_thinking"}),
    "system": frozenset({"text"}),
}
CHOICES = {"auto": "auto", "any": "required"}
SAME = ("model", "temperature", "top_p")


def as_chat(body: Json) -> Json:
    """Translates a request."""
    chat: Json = {name: body[name] for name in SAME if name in body}
    chat["max_completion_tokens"] = body["max_tokens"]
    chat["messages"] = list(_messages(body))
    if body.get("stop_sequences"):
        chat["stop"] = body["stop_sequences"]
    if body.get("tools"):
        chat["tools"] = [_tool(tool) for tool in body["tools"]]
    if body.get("tool_choice"):
        chat["tool_choice"] = _choice(body["tool_choice"])
    return chat


def _messages(body: Json) -> Iterator[Json]:
    if body.get("system"):
        yield {"role": "system", "content": _plain(_listed(body["system"]))}
    for message in body["messages"]:
        role, parts = message["role"], _listed(message["content"])
        for part in parts:
            if part["type"] not in ALLOWED[role]:
                raise invalid(f"Invalid argument: {part['type']} is not allowed in {role} messages")
        yield from _assistant(parts) if role == "assistant" else _others(role, parts)


def _assistant(parts: list[Json]) -> Iterator[Json]:
    said = [part for part in parts if part["type"] == "text"]
    calls = [_call(part) for part in parts if part["type"] == "tool_use"]
    message: Json = {"role": "assistant", "content": _plain(said)}
    yield {**message, "tool_calls": calls} if calls else message


def _others(role: str, parts: list[Json]) -> Iterator[Json]:
    """Puts the results of tools, each a message of its own, before what the user says."""
    results = [part for part in parts if part["type"] == "tool_result"]
    for part in results:
        content = _plain(_listed(part["content"]))
        yield {"role": "tool", "tool_call_id": part["tool_use_id"], "content": content}
    rest = [part for part in parts if part["type"] != "tool_result"]
    if rest or not results:
        yield {"role": role, "content": _plain(rest)}


def _listed(content: Any) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content)


def _plain(parts: list[Json]) -> str | list[Json]:
    """Makes a content of parts, a mere text where it is one."""
    if all(part["type"] == "text" for part in parts) and len(parts) < 2:  # noqa: PLR2004 - one or none
        return "".join(part["text"] for part in parts)
    return [_part(part) for part in parts]


def _part(part: Json) -> Json:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]}
    source = part["source"]
    data = f"data:{source.get('media_type')};base64,{source.get('data')}"
    return {"type": "image_url", "image_url": {"url": source.get("url") or data}}


def _call(part: Json) -> Json:
    if not isinstance(part["input"], dict):
        raise invalid(f"Invalid argument: input of tool_use {part['id']} is not an object")
    arguments = json.dumps(part["input"], ensure_ascii=False, separators=(",", ":"))
    function = {"name": part["name"], "arguments": arguments}
    return {"id": part["id"], "type": "function", "function": function}


def _tool(tool: Json) -> Json:
    function = {
        "name": tool["name"],
        "description": tool["description"],
        "parameters": tool["input_schema"],
    }
    return {"type": "function", "function": function}


def _choice(choice: Json) -> Any:
    if choice["type"] == "tool":
        return {"type": "function", "function": {"name": choice["name"]}}
    return CHOICES[choice["type"]]
