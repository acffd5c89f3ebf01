"""The tools that the provider runs itself: when they are used, and what they find.

There is no web behind the emulator: what is found is invented, at addresses that lead nowhere.
"""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from zlib import crc32

from xai_lowcode.emulator.fake_model import prompt_parsing as clues
from xai_lowcode.emulator.fake_model.images import drawn
from xai_lowcode.emulator.fake_model.prompt_parsing import Conversation
from xai_lowcode.emulator.fake_model.text import short
from xai_lowcode.emulator.handler_types import Json

POST_NUMBERS = 10**18
TICKS_PER_CALL = 50_000_000
WORDS = {
    "web_search": clues.stems(
        "search web internet online latest news current recent today source cite find look"
    ),
    "x_search": clues.stems("x twitter tweet post handle"),
    "code_interpreter": clues.stems(
        "code python calculate compute run program script sum execute fibonacci"
    ),
    "file_search": clues.stems("file document collection search find"),
    "image_generation": clues.stems("draw image picture paint illustrate photo sketch"),
}


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a tool: the item that shows it, and what the model has learned by it."""

    counter: str
    prefix: str
    item: Json
    finding: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What a tool is used with: the prompt, which use it is, the tool as offered, what to show."""

    prompt: str
    number: int
    tool: Json
    include: frozenset[str]


async def used(body: Json, conversation: Conversation) -> list[Use]:
    """Uses the tools that the prompt speaks of; every tool takes a turn."""
    offered = [tool for tool in body.get("tools") or [] if tool["type"] in TOOLS]
    if body.get("tool_choice") == "none" or conversation.results:
        return []
    spoken = clues.stems(conversation.prompt)
    # A server of the user's is offered beside others of its type, each with its own label.
    different = {(tool["type"], tool.get("server_label")): tool for tool in reversed(offered)}
    chosen = [tool for tool in reversed(different.values()) if _words(tool) & spoken]
    if not chosen and body.get("tool_choice") == "required":
        chosen = offered[:1]
    include = frozenset(body.get("include") or ())
    chosen = chosen[: body.get("max_turns") or len(chosen)]
    return [
        await TOOLS[tool["type"]](Turn(conversation.prompt, number, tool, include))
        for number, tool in enumerate(chosen, 1)
    ]


def _words(tool: Json) -> frozenset[str] | set[str]:
    """The words by which a prompt speaks of a tool."""
    if tool["type"] != "mcp":
        return WORDS[tool["type"]]
    named = (tool["server_label"], *(tool.get("allowed_tools") or ()))
    return clues.stems(" ".join(re.sub(r"[_-]", " ", name) for name in named))


async def _web_search(turn: Turn) -> Use:
    query = short(turn.prompt)
    slug = quote("-".join(clues.WORD.findall(query.lower())[:6]))
    urls = [f"https://{host}/{slug}" for host in ("example.com", "example.org")]
    sources = [{"type": "url", "url": url} for url in urls]
    action = {"type": "search", "query": query, "sources": sources}
    item = {"type": "web_search_call", "action": action}
    finding = f"A page on the web tells more about it.[[{turn.number}]]({urls[0]})"
    return Use("web_search_calls", "ws", item, finding)


async def _x_search(turn: Turn) -> Use:
    spot = crc32(turn.prompt.encode("utf-8", "replace"))
    asked = {"query": short(turn.prompt), "limit": 1, "mode": "Latest"}
    search = json.dumps(asked, ensure_ascii=False)
    item = {"type": "custom_tool_call", "name": "x_keyword_search", "input": search}
    url = f"https://x.com/i/status/{POST_NUMBERS + spot}"
    finding = f"Somebody has posted about it.[[{turn.number}]]({url})"
    return Use("x_search_calls", "ctc", item, finding)


async def _code_interpreter(turn: Turn) -> Use:
    """Adds up the numbers of the prompt, which is the one program that can be run here."""
    numbers = [int(value) for value in clues.gathered(turn.prompt).numbers if value.is_integer()]
    code = f"print(sum({numbers}))"
    printed = f"{sum(numbers)}\n"
    item: Json = {
        "type": "code_interpreter_call",
        "name": "code_execution",
        "arguments": json.dumps({"code": code}),
        "call_id": "",
    }
    if "code_interpreter_call.outputs" in turn.include:
        item["outputs"] = [{"type": "logs", "logs": printed}]
    return Use("code_interpreter_calls", "ci", item, f"The code printed {printed.strip()}.")


async def _file_search(turn: Turn) -> Use:
    item: Json = {"type": "file_search_call", "queries": [short(turn.prompt)], "results": None}
    if "file_search_call.results" in turn.include:
        item["results"] = []
    return Use("file_search_calls", "fs", item, "The collections hold nothing about it.")


async def _image_generation(turn: Turn) -> Use:
    picture = await asyncio.to_thread(drawn, turn.prompt, "1:1", "1k")
    result = base64.b64encode(picture).decode()
    item = {"type": "image_generation_call", "prompt": short(turn.prompt), "result": result}
    return Use("image_generation_calls", "ig", item, "Here is the picture.")


async def _mcp(turn: Turn) -> Use:
    """Calls the first tool of a server of the user's; nothing is sent to its address."""
    label = turn.tool["server_label"]
    output = f"{label} knows nothing about it."
    item = {
        "type": "mcp_call",
        "server_label": label,
        "name": (turn.tool.get("allowed_tools") or ["search"])[0],
        "arguments": json.dumps({"query": short(turn.prompt)}, ensure_ascii=False),
        "output": output,
        "error": None,
    }
    return Use("mcp_calls", "mcp", item, output)


TOOLS: dict[str, Callable[[Turn], Awaitable[Use]]] = {
    "web_search": _web_search,
    "x_search": _x_search,
    "code_interpreter": _code_interpreter,
    "file_search": _file_search,
    "image_generation": _image_generation,
    "mcp": _mcp,
}
COUNTERS = (
    *("web_search_calls", "x_search_calls", "code_interpreter_calls", "file_search_calls"),
    *("mcp_calls", "document_search_calls", "image_generation_calls"),
)
CITATION = re.compile(r"\[\[(\d+)\]\]\((\S+?)\)")


def citations(text: str) -> list[Json]:
    """Finds the citations of a text; the indices cut them out of it."""
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


def counted(uses: list[Use]) -> dict[str, Any]:
    """Counts the uses as an answer does, which names no tool where none was used."""
    if not uses:
        return {}
    found = {name: sum(use.counter == name for use in uses) for name in COUNTERS}
    return {"server_side_tool_usage_details": found}
