"""Convert requests of the Responses API to chat requests."""

from collections.abc import Iterable
from typing import Any

from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.provider_errors import invalid_argument

ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
SHARED_FIELDS = (
    *("model", "temperature", "top_p", "logprobs", "top_logprobs", "parallel_tool_calls"),
    *("search_parameters", "user"),
)


def parse_input(value: Any) -> list[Json]:
    """Return the input items; a string is a user message."""
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    return list(value)


def to_chat_request(body: Json, items: Iterable[Json]) -> Json:
    """Convert a request with these input items to a chat request."""
    chat: Json = {name: body[name] for name in SHARED_FIELDS if body.get(name) is not None}
    chat["messages"] = _messages(body, items)
    if body.get("max_output_tokens") is not None:
        chat["max_completion_tokens"] = body["max_output_tokens"]
    effort = get_effort(body)
    if effort is not None:
        chat["reasoning_effort"] = effort
    tools = [_tool(tool) for tool in body.get("tools") or [] if tool["type"] == "function"]
    if tools:
        chat |= {"tools": tools, "tool_choice": _choice(body.get("tool_choice"))}
    text_format = (body.get("text") or {}).get("format")
    if text_format:
        chat["response_format"] = _response_format(text_format)
    return chat


def get_effort(body: Json) -> str | None:
    """Return the reasoning effort of a request."""
    effort = (body.get("reasoning") or {}).get("effort") or body.get("reasoning_effort")
    return None if effort is None else str(effort)


def _messages(body: Json, items: Iterable[Json]) -> list[Json]:
    messages: list[Json] = []
    if body.get("instructions"):
        messages.append({"role": "system", "content": body["instructions"]})
    # A function call is added to an assistant message directly before it.
    after_assistant = False
    for item in items:
        kind = item.get("type") or "message"
        if kind == "message":
            message = {"role": _role(item), "content": _content(item["content"])}
            if after_assistant and message["role"] == "assistant" and "tool_calls" in messages[-1]:
                # Text of a response may follow its calls, whose results are the next items.
                messages.insert(-1, message)
            else:
                messages.append(message)
        elif kind == "function_call_output":
            content = _content(item["output"])
            messages.append({"role": "tool", "tool_call_id": item["call_id"], "content": content})
        elif kind == "function_call":
            if not after_assistant:
                messages.append({"role": "assistant", "content": ""})
            messages[-1].setdefault("tool_calls", []).append(_call(item))
        else:
            # Reasoning and server-side tool calls are not part of the chat request.
            continue
        after_assistant = messages[-1]["role"] == "assistant"
    return messages


def _role(item: Json) -> str:
    if item["role"] not in ROLES:
        raise invalid_argument(f"unknown role {item['role']}")
    return ROLES[item["role"]]


def _content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [PARTS[part["type"]](part) for part in content]


def _image(part: Json) -> Json:
    source = {"url": part.get("image_url"), "file_id": part.get("file_id")}
    return {"type": "image_url", "image_url": {key: text for key, text in source.items() if text}}


def _file(part: Json) -> Json:
    source = {"file_id": part.get("file_id"), "url": part.get("file_url") or part.get("file_data")}
    return {"type": "file", "file": {key: text for key, text in source.items() if text}}


def _call(item: Json) -> Json:
    function = {"name": item["name"], "arguments": item["arguments"]}
    return {"id": item["call_id"], "type": "function", "function": function}


def _tool(tool: Json) -> Json:
    function = {key: value for key, value in tool.items() if key not in {"type", "strict"}}
    return {"type": "function", "function": function}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        function = {"function": {"name": choice["name"]}} if choice.get("name") else {}
        return {"type": choice["type"], **function}
    return choice


def _response_format(text_format: Json) -> Json:
    if text_format["type"] != "json_schema":
        return text_format
    schema = {key: value for key, value in text_format.items() if key != "type"}
    return {"type": "json_schema", "json_schema": {"name": "response", **schema}}


PARTS = {
    "input_text": lambda part: {"type": "text", "text": part["text"]},
    "output_text": lambda part: {"type": "text", "text": part["text"]},
    "refusal": lambda part: {"type": "text", "text": part["refusal"]},
    "input_image": _image,
    "input_file": _file,
}
