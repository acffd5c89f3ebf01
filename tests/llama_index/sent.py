"""Functions that read requests and responses of all APIs in one format."""

from collections.abc import Iterator
from typing import Any

APIS = ["auto", "chat_completions", "messages"]
"""The default API, and those that must be selected."""

Item = tuple[str, str]
"""Kind (a role, ``"reasoning"`` or ``"tool_call"``), and text (of a tool call its name)."""

Json = dict[str, Any]


def get_items(body: Json, *, reasoning: bool = False) -> list[Item]:
    """Return the contents of a conversation, in order.

    Args:
        body: Body of the request.
        reasoning: Whether to include reasoning, which some APIs do not return.
    """
    if "input" in body:
        items = [item for entry in body["input"] for item in _iter_response_items(entry)]
    elif "max_tokens" in body:
        items = [("system", body["system"])] if "system" in body else []
        items += [item for entry in body["messages"] for item in _iter_message_blocks(entry)]
    else:
        items = [item for entry in body["messages"] for item in _iter_completion_items(entry)]
    return [item for item in items if reasoning or item[0] != "reasoning"]


def get_kinds(body: Json) -> list[str]:
    """Return the kinds of the contents of a conversation, without reasoning."""
    return [kind for kind, _ in get_items(body)]


def get_tools(body: Json) -> list[Json]:
    """Return name and parameters of each tool."""
    tools = [tool.get("function", tool) for tool in body["tools"]]
    return [
        {"name": tool["name"], "parameters": tool.get("input_schema", tool.get("parameters"))}
        for tool in tools
    ]


def get_tool_choice(body: Json) -> Any:
    """Return ``{"name": ...}`` for a named tool, else OpenAI's string; None if it is not sent."""
    match body.get("tool_choice"):
        case {"type": "function", "function": {"name": name}, **rest} if not rest:
            return {"name": name}
        case {"type": "function" | "tool", "name": name}:
            return {"name": name}
        case {"type": "any"}:
            return "required"
        case {"type": word}:
            return word
        case choice:
            return choice


def get_schema(body: Json) -> Json | None:
    """Return name and schema of structured output; None if no schema is sent."""
    if "response_format" in body:
        return dict(body["response_format"]["json_schema"])
    return body["text"]["format"] if "text" in body else None


def get_max_tokens(body: Json) -> int | None:
    """Return the token limit."""
    names = {"max_completion_tokens", "max_output_tokens", "max_tokens"} & body.keys()
    return body[names.pop()] if names else None


def get_text(raw: Json) -> str:
    """Return the text of the body of a response."""
    if "choices" in raw:
        return str(raw["choices"][0]["message"]["content"])
    blocks = raw.get("content") or [
        block for item in raw["output"] for block in item.get("content", [])
    ]
    return "".join(block["text"] for block in blocks if "text" in block)


def get_delta(raw: Json) -> str:
    """Return the text of a chunk of a stream, or its reasoning."""
    delta = raw["choices"][0]["delta"] if "choices" in raw else raw["delta"]
    if isinstance(delta, str):
        return delta
    names = {"content", "reasoning_content", "text", "thinking"} & delta.keys()
    return str(delta[names.pop()])


def _text(content: Any) -> str:
    """Return a text, or the texts of blocks; other blocks are left out."""
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)


def _iter_completion_items(message: Json) -> Iterator[Item]:
    if message.get("reasoning_content"):
        yield "reasoning", message["reasoning_content"]
    calls = message.get("tool_calls", [])
    if message["content"] or not calls:
        yield message["role"], _text(message["content"])
    yield from (("tool_call", call["function"]["name"]) for call in calls)


def _iter_response_items(item: Json) -> Iterator[Item]:
    match item.get("type", "message"):
        case "message":
            yield item["role"], _text(item["content"])
        case "reasoning":
            yield "reasoning", _text(item["summary"])
        case "function_call":
            yield "tool_call", item["name"]
        case "function_call_output":
            yield "tool", _text(item["output"])
        case kind:
            raise ValueError(kind)


def _iter_message_blocks(message: Json) -> Iterator[Item]:
    if isinstance(message["content"], str):
        yield message["role"], message["content"]
        return
    for block in message["content"]:
        match block["type"]:
            case "text":
                yield message["role"], block["text"]
            case "thinking":
                yield "reasoning", block["thinking"]
            case "tool_use":
                yield "tool_call", block["name"]
            case "tool_result":
                yield "tool", _text(block["content"])
            case "image":
                pass
            case kind:
                raise ValueError(kind)
