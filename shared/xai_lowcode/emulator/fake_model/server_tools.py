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

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.images import generate_image
from xai_lowcode.emulator.fake_model.prompt_parsing import (
    WORD,
    Conversation,
    extract_hints,
    word_stems,
)
from xai_lowcode.emulator.fake_model.text import truncate
from xai_lowcode.emulator.handler_types import HandlerRequest
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.replies import find_reply

FIRST_POST_ID = 10**18
# Prices of a call in ticks of 10^-10 US dollars; there are none for MCP servers.
TICKS_PER_CALL = {
    **dict.fromkeys(("web_search_calls", "x_search_calls", "code_interpreter_calls"), 50_000_000),
    "file_search_calls": 25_000_000,
    "image_generation_calls": models.image_price(""),
}
NO_INLINE_CITATIONS = "no_inline_citations"
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
    legacy_items: bool = False

    def cite(self, url: str) -> str:
        """Return the citation for the text."""
        return "" if NO_INLINE_CITATIONS in self.include else f"[[{self.number}]]({url})"


async def run_server_tools(
    request: HandlerRequest, conversation: Conversation
) -> list[ServerToolUse]:
    """Call each server-side tool that the prompt mentions or whose action is set, once."""
    body = request.body
    offered = [tool for tool in body.get("tools") or [] if tool["type"] in TOOLS]
    scripted = find_reply(request.emulator.replies, body) is not None
    if scripted or body.get("tool_choice") == "none" or conversation.tool_results:
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
    legacy = request.emulator.server_tool_items == "2025"
    return [
        # Drawing an image blocks.
        await asyncio.to_thread(
            TOOLS[tool["type"]], ToolContext(conversation.prompt, number, tool, include, legacy)
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
    item: Json = {"type": "web_search_call", "action": action}
    finding = f"A page on the web tells more about it.{context.cite(urls[0])}"
    prefix = "fc" if context.legacy_items else "ws"
    if context.legacy_items:
        item = _legacy_item("web_search_call", "web_search", {"query": query})
    return ServerToolUse("web_search_calls", prefix, item, finding)


def _search_x(context: ToolContext) -> ServerToolUse:
    post_id = FIRST_POST_ID + crc32(context.prompt.encode("utf-8", "replace"))
    arguments = {"query": truncate(context.prompt), "limit": 1, "mode": "Latest"}
    search = json.dumps(arguments, ensure_ascii=False)
    item = {"type": "custom_tool_call", "name": "x_keyword_search", "input": search}
    url = f"https://x.com/i/status/{post_id}"
    finding = f"Somebody has posted about it.{context.cite(url)}"
    return ServerToolUse("x_search_calls", "ctc", item, finding)


def _run_code(context: ToolContext) -> ServerToolUse:
    """Add the integers of the prompt."""
    hints = extract_hints(context.prompt)
    numbers = [int(value) for value in hints.numbers if value.is_integer()]
    code = f"print(sum({numbers}))"
    finding = f"The code printed {sum(numbers)}."
    if context.legacy_items:
        item = _legacy_item("code_interpreter_call", "code_execution", {"code": code})
        return ServerToolUse("code_interpreter_calls", "fc", item, finding)
    outputs: list[Json] = []
    if "code_interpreter_call.outputs" in context.include:
        outputs = [{"type": "logs", "logs": f"{sum(numbers)}\n"}]
    item = {"type": "code_interpreter_call", "code": code, "outputs": outputs}
    return ServerToolUse("code_interpreter_calls", "ci", item, finding)


def _legacy_item(kind: str, name: str, arguments: Json) -> Json:
    """Return an item as responses of 2025 have it."""
    call = json.dumps(arguments, ensure_ascii=False)
    return {"type": kind, "name": name, "arguments": call, "call_id": ""}


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


def sum_prices(uses: list[ServerToolUse]) -> int:
    """Return the price of server-side tool calls, in ticks."""
    return sum(TICKS_PER_CALL.get(use.counter, 0) for use in uses)


def count_uses(uses: list[ServerToolUse]) -> dict[str, Any]:
    """Return the usage fields of server-side tool calls; none if there were no calls."""
    if not uses:
        return {}
    counts = {name: sum(use.counter == name for use in uses) for name in COUNTERS}
    return {"server_side_tool_usage_details": counts}
