"""Server-side tools: when they are called, their items and their cost."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator

Send = Callable[..., httpx.Response]
Json = dict[str, Any]
WEB = {"type": "web_search"}
POSTS = {"type": "x_search"}
CODE = {"type": "code_interpreter"}
DRAW = {"type": "image_generation"}


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def kinds(body: Json) -> list[str]:
    """Return the types of the output items."""
    return [item["type"] for item in body["output"]]


def test_web_search(send_responses: Send) -> None:
    """A web search has its query and sources, and the text cites them at the given indices."""
    body = result(send_responses("Search the web for xAI", model="grok-4", tools=[WEB]))
    assert kinds(body) == ["web_search_call", "message"]
    assert body["output"][0]["action"]["query"] == "Search the web for xAI"
    part = body["output"][-1]["content"][0]
    (note,) = part["annotations"]
    assert part["text"][note["start_index"] : note["end_index"]] == f"[[1]]({note['url']})"
    assert note["url"] in [source["url"] for source in body["output"][0]["action"]["sources"]]
    assert note["title"] == "1"


def test_encrypted_search(send_responses: Send) -> None:
    """With encrypted reasoning, tool outputs are encrypted items."""
    body = result(send_responses("search", tools=[WEB], include=["reasoning.encrypted_content"]))
    assert kinds(body) == ["reasoning", "web_search_call", "reasoning", "reasoning", "message"]
    ids = [item["id"] for item in body["output"]]
    assert ids[0] == ids[3]
    assert ids[2].startswith("tco_")
    assert body["output"][2]["encrypted_content"].startswith(ids[2])


def test_x_search(send_responses: Send) -> None:
    """A search of X is a call of a custom tool of xAI."""
    item = result(send_responses("search x", model="grok-4", tools=[POSTS]))["output"][0]
    assert (item["type"], item["name"]) == ("custom_tool_call", "x_keyword_search")
    assert item["call_id"].startswith("xs_call_")
    assert json.loads(item["input"])["query"] == "search x"


@pytest.mark.parametrize(("options", "called"), [({}, False), ({"action": "edit"}, True)])
def test_an_image_tool_with_an_action(send_responses: Send, options: Json, called: bool) -> None:
    """An action of image generation is performed for any prompt."""
    tool = {"type": "image_generation", **options}
    body = result(send_responses("Make it night.", model="grok-4", tools=[tool]))
    assert ("image_generation_call" in kinds(body)) is called


def test_code(send_responses: Send) -> None:
    """Code is in the item, its output only with `include`, in both forms of the item."""
    body = result(send_responses("compute 3 and 4", model="grok-4", tools=[CODE]))
    assert "The code printed 7." in body["output"][-1]["content"][0]["text"]
    item = body["output"][0]
    assert (item["code"], item["outputs"]) == ("print(sum([3, 4]))", [])
    asked = send_responses(
        "compute 3 and 4", tools=[CODE], include=["code_interpreter_call.outputs"]
    )
    assert result(asked)["output"][1]["outputs"] == [{"type": "logs", "logs": "7\n"}]


def test_items_of_2025(gateway: Emulator, send_responses: Send, events: Any) -> None:
    """With the option, searches and code have the fields of 2025, streamed in one delta."""
    gateway.server_tool_items = "2025"
    asked = {"model": "grok-4", "tools": [WEB, CODE]}
    items = result(send_responses("search the web and run code: 3 and 4", **asked))["output"]
    assert [(item["name"], item["call_id"]) for item in items[:2]] == [
        ("web_search", ""),
        ("code_execution", ""),
    ]
    assert json.loads(items[1]["arguments"]) == {"code": "print(sum([3, 4]))"}
    assert not {"action", "code", "outputs"} & (items[0].keys() | items[1].keys())
    streamed = events(send_responses("search the web", stream=True, **asked).text)
    kinds = [event["type"] for event in streamed if event.get("output_index") == 0]
    assert kinds == ["response.output_item.added", "response.output_item.done"]


def test_no_inline_citations(send_responses: Send) -> None:
    """Citations are omitted from the text on request."""
    asked = send_responses(
        "search", model="grok-4", tools=[WEB, POSTS], include=["no_inline_citations"]
    )
    assert "[[" not in result(asked)["output"][-1]["content"][0]["text"]


@for_each(
    ("tool", "prompt", "price"),
    [
        (WEB, "search", 50_000_000),
        (CODE, "compute 3", 50_000_000),
        ({"type": "file_search", "vector_store_ids": ["c"]}, "search", 25_000_000),
        ({"type": "mcp", "server_url": "https://a", "server_label": "notes"}, "notes", 0),
    ],
)
def test_prices(send_responses: Send, tool: Json, prompt: str, price: int) -> None:
    """Each server-side tool has its price per call."""
    body = result(send_responses(prompt, model="grok-4.7", tools=[tool]))
    usage = body["usage"]
    cached = usage["input_tokens_details"]["cached_tokens"]
    tokens = (
        (usage["input_tokens"] - cached) * 20_000 + cached * 5_000 + usage["output_tokens"] * 60_000
    )
    assert usage["cost_in_usd_ticks"] == tokens + price


def test_viewing_tools_are_accepted(send_responses: Send) -> None:
    """The tools that view images and videos are accepted, and their items are taken back."""
    items = [
        {"type": "view_image_call", "id": "1", "status": "completed"},
        {"type": "view_x_video_call", "id": "2", "status": "completed"},
        {"role": "user", "content": "Hi"},
    ]
    tools = [{"type": "view_image"}, {"type": "view_x_video"}]
    assert kinds(result(send_responses(items, model="grok-4", tools=tools))) == ["message"]


def test_image(send_responses: Send) -> None:
    """An image is an item with the bytes of a PNG."""
    item = result(send_responses("draw a cat", model="grok-4", tools=[DRAW]))["output"][0]
    assert base64.b64decode(item["result"]).startswith(b"\x89PNG")
    assert item["prompt"] == "draw a cat"


def test_mcp_servers(send_responses: Send) -> None:
    """The MCP server that the prompt names is called, with its first allowed tool."""
    tools = [
        {"type": "mcp", "server_url": "https://a", "server_label": "weather"},
        {
            "type": "mcp",
            "server_url": "https://b",
            "server_label": "my-notes",
            "allowed_tools": ["look_up"],
        },
    ]
    body = result(send_responses("What do my notes say?", model="grok-4", tools=tools))
    assert kinds(body) == ["mcp_call", "message"]
    item = body["output"][0]
    assert (item["server_label"], item["name"], item["error"]) == ("my-notes", "look_up", None)
    assert json.loads(item["arguments"]) == {"query": "What do my notes say?"}
    assert item["output"] in body["output"][-1]["content"][0]["text"]
    assert body["usage"]["server_side_tool_usage_details"]["mcp_calls"] == 1


def test_files(send_responses: Send) -> None:
    """A search of collections has results only on request."""
    tool = {"type": "file_search", "vector_store_ids": ["c"]}
    item = result(send_responses("search the files", model="grok-4", tools=[tool]))["output"][0]
    assert (item["queries"], item["results"]) == (["search the files"], None)
    asked = send_responses(
        "search the files", model="grok-4", tools=[tool], include=["file_search_call.results"]
    )
    assert result(asked)["output"][0]["results"] == []


@for_each(
    ("prompt", "more", "expected"),
    [
        ("Hello", {}, []),
        ("search the web", {"tool_choice": "none"}, []),
        ("Hello", {"tool_choice": "required"}, ["web_search_call"]),
        ("search the web and run code", {}, ["web_search_call", "code_interpreter_call"]),
        ("search the web and run code", {"max_turns": 1}, ["web_search_call"]),
    ],
)
def test_conditions(send_responses: Send, prompt: str, more: Json, expected: list[str]) -> None:
    """A tool is called if the prompt mentions it or it is required, at most `max_turns` times."""
    body = result(send_responses(prompt, model="grok-4", tools=[WEB, CODE], **more))
    assert kinds(body) == [*expected, "message"]


def test_counts_of_uses(send_responses: Send) -> None:
    """Uses are counted by type and have a cost; without any there are no counters."""
    plain, searched = (
        result(send_responses(prompt, model="grok-4", tools=[WEB]))["usage"]
        for prompt in ("Hi", "search")
    )
    assert "server_side_tool_usage_details" not in plain
    assert searched["num_server_side_tools_used"] == 1
    assert searched["server_side_tool_usage_details"]["web_search_calls"] == 1
    assert sum(searched["server_side_tool_usage_details"].values()) == 1
    assert searched["cost_in_usd_ticks"] - plain["cost_in_usd_ticks"] > 50_000_000


def test_function_calls_precede_server_side_tools(send_responses: Send) -> None:
    """With function calls there are no server-side tool calls."""
    own = {"type": "function", "name": "search", "parameters": {"type": "object"}}
    assert kinds(result(send_responses("search", model="grok-4", tools=[WEB, own]))) == [
        "function_call"
    ]


def test_no_server_side_tools_after_results(send_responses: Send) -> None:
    """After function results there are no server-side tool calls."""
    items = [
        {"role": "user", "content": "search"},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "5"},
    ]
    assert kinds(result(send_responses(items, model="grok-4", tools=[WEB]))) == ["message"]


def test_tools_that_are_accepted_and_not_called(send_responses: Send) -> None:
    """An MCP server that the prompt does not name, and a shell, are accepted and not called."""
    tools = [
        {"type": "mcp", "server_label": "notes", "server_url": "https://example.com"},
        {"type": "shell", "environment": {}},
    ]
    assert kinds(result(send_responses("use a shell", model="grok-4", tools=tools))) == ["message"]
