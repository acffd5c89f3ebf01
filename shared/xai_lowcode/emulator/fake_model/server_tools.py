"""Server-side tools: when they are called, and their invented results."""

import asyncio
import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from zlib import crc32

from xai_lowcode.emulator.fake_model.images import generate_image
from xai_lowcode.emulator.fake_model.prompt_parsing import (
    WORD,
    Conversation,
    extract_hints,
    word_stems,
)
from xai_lowcode.emulator.fake_model.text import truncate
from xai_lowcode.emulator.handler_types import HandlerRequest, Json

FIRST_POST_ID = 10**18
TICKS_PER_CALL = 50_000_000
TRIGGER_WORDS = {
    "web_search": word_stems(
        "search web internet online latest news current recent today source cite find look"
    ),
    "x_search": word_stems("x twitter tweet post handle"),
    "code_interpreter": word_stems(
        "code python calculate compute run program script sum execute fibonacci"
    ),
    "file_search": word_stems("file document collection search find"),
    "image_generation": word_stems("draw image picture paint illustrate photo sketch"),
}
COUNTERS = (
    *("web_search_calls", "x_search_calls", "code_interpreter_calls", "file_search_calls"),
    *("mcp_calls", "document_search_calls", "image_generation_calls"),
)
CITATION = re.compile(r"\[\[(\d+)\]\]\((\S+?)\)")


@dataclass(frozen=True, slots=True)
class ServerToolUse:
    """One call of a server-side tool.

    Attributes:
        counter: The counter in the usage.
        prefix: The prefix of the item's id.
        item: The output item.
        finding: The sentence that the call contributes to the text.
    """

    counter: str
    prefix: str
    item: Json
    finding: str


@dataclass(frozen=True, slots=True)
class ToolContext:
    """The input of a server-side tool call; `number` is the number of its citation."""

    prompt: str
    number: int
    tool: Json
    include: frozenset[str]


async def run_server_tools(
    request: HandlerRequest, conversation: Conversation
) -> list[ServerToolUse]:
    """Call each server-side tool that the prompt mentions or whose action is set, once."""
    body = request.body
    offered = [tool for tool in body.get("tools") or [] if tool["type"] in TOOLS]
    if body.get("tool_choice") == "none" or conversation.tool_results or request.emulator.replies:
        return []
    words = word_stems(conversation.prompt)
    # MCP servers differ in their labels.
    distinct = {(tool["type"], tool.get("server_label")): tool for tool in reversed(offered)}
    chosen = [
        tool
        for tool in reversed(distinct.values())
        if tool.get("action") or _trigger_words(tool) & words
    ]
    if not chosen and body.get("tool_choice") == "required":
        chosen = offered[:1]
    chosen = chosen[: body.get("max_turns") or len(chosen)]
    include = frozenset(body.get("include") or ())
    return [
        # Drawing an image blocks.
        await asyncio.to_thread(
            TOOLS[tool["type"]], ToolContext(conversation.prompt, number, tool, include)
        )
        for number, tool in enumerate(chosen, 1)
    ]


def _trigger_words(tool: Json) -> set[str]:
    if tool["type"] != "mcp":
        return TRIGGER_WORDS[tool["type"]]
    names = (tool["server_label"], *(tool.get("allowed_tools") or ()))
    return word_stems(" ".join(re.sub(r"[_-]", " ", name) for name in names))


def _search_web(context: ToolContext) -> ServerToolUse:
    query = truncate(context.prompt)
    slug = quote("-".join(WORD.findall(query.lower())[:6]))
    urls = [f"https://{host}/{slug}" for host in ("example.com", "example.org")]
    sources = [{"type": "url", "url": url} for url in urls]
    action = {"type": "search", "query": query, "sources": sources}
    item = {"type": "web_search_call", "action": action}
    finding = f"A page on the web tells more about it.[[{context.number}]]({urls[0]})"
    return ServerToolUse("web_search_calls", "ws", item, finding)


def _search_x(context: ToolContext) -> ServerToolUse:
    post_id = FIRST_POST_ID + crc32(context.prompt.encode("utf-8", "replace"))
    arguments = {"query": truncate(context.prompt), "limit": 1, "mode": "Latest"}
    search = json.dumps(arguments, ensure_ascii=False)
    item = {"type": "custom_tool_call", "name": "x_keyword_search", "input": search}
    url = f"https://x.com/i/status/{post_id}"
    finding = f"Somebody has posted about it.[[{context.number}]]({url})"
    return ServerToolUse("x_search_calls", "ctc", item, finding)


def _run_code(context: ToolContext) -> ServerToolUse:
    """Add the integers of the prompt."""
    hints = extract_hints(context.prompt)
    numbers = [int(value) for value in hints.numbers if value.is_integer()]
    item: Json = {
        "type": "code_interpreter_call",
        "name": "code_execution",
        "arguments": json.dumps({"code": f"print(sum({numbers}))"}),
        "call_id": "",
    }
    if "code_interpreter_call.outputs" in context.include:
        item["outputs"] = [{"type": "logs", "logs": f"{sum(numbers)}\n"}]
    finding = f"The code printed {sum(numbers)}."
    return ServerToolUse("code_interpreter_calls", "ci", item, finding)


def _search_files(context: ToolContext) -> ServerToolUse:
    item: Json = {
        "type": "file_search_call",
        "queries": [truncate(context.prompt)],
        "results": [] if "file_search_call.results" in context.include else None,
    }
    finding = "The collections hold nothing about it."
    return ServerToolUse("file_search_calls", "fs", item, finding)


def _generate_image(context: ToolContext) -> ServerToolUse:
    result = base64.b64encode(generate_image(context.prompt, "1:1", "1k")).decode()
    prompt = truncate(context.prompt)
    item = {"type": "image_generation_call", "prompt": prompt, "result": result}
    return ServerToolUse("image_generation_calls", "ig", item, "Here is the image.")


def _call_mcp(context: ToolContext) -> ServerToolUse:
    """Call the first tool of an MCP server; nothing is sent to its URL."""
    label = context.tool["server_label"]
    output = f"{label} knows nothing about it."
    item = {
        "type": "mcp_call",
        "server_label": label,
        "name": (context.tool.get("allowed_tools") or ["search"])[0],
        "arguments": json.dumps({"query": truncate(context.prompt)}, ensure_ascii=False),
        "output": output,
        "error": None,
    }
    return ServerToolUse("mcp_calls", "mcp", item, output)


TOOLS: dict[str, Callable[[ToolContext], ServerToolUse]] = {
    "web_search": _search_web,
    "x_search": _search_x,
    "code_interpreter": _run_code,
    "file_search": _search_files,
    "image_generation": _generate_image,
    "mcp": _call_mcp,
}


def find_citations(text: str) -> list[Json]:
    """Return the citations of a text as annotations with their positions."""
    return [
        {
            "type": "url_citation",
            "url": match[2],
            "start_index": match.start(),
            "end_index": match.end(),
            "title": match[1],
        }
        for match in CITATION.finditer(text)
    ]


def count_uses(uses: list[ServerToolUse]) -> dict[str, Any]:
    """Return the usage fields of server-side tool calls; none if there were no calls."""
    if not uses:
        return {}
    counts = {name: sum(use.counter == name for use in uses) for name in COUNTERS}
    return {"server_side_tool_usage_details": counts}
