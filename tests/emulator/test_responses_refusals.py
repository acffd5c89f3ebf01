"""Responses requests that are rejected, and ignored fields."""

from collections.abc import Callable
from typing import Any

import httpx

from tests.cases import for_each
from xai_lowcode.emulator import Emulator

Send = Callable[..., httpx.Response]
Json = dict[str, Any]
ADD: Json = {"type": "function", "name": "add", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "call_id": "1", "name": "add", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "1", "output": "5"}
VARIANT = "data did not match any variant of untagged enum ModelInput"


@for_each(
    ("body", "status", "text"),
    [
        ({"model": "nope"}, 400, "Model not found: nope"),
        ({"model": "grok-beta"}, 404, "deprecated"),
        ({"model": "grok-imagine-image"}, 400, "does not support responses"),
        ({"given": None}, 422, "data did not match"),
        ({"given": 7}, 422, "untagged enum ModelInput"),
        ({"given": ""}, 400, "must not be empty"),
        ({"given": []}, 400, "must not be empty"),
        ({"given": [{"type": "tool_call"}]}, 422, VARIANT),
        ({"given": [{"type": "item_reference", "id": "x"}]}, 422, VARIANT),
        ({"given": [7]}, 422, VARIANT),
        ({"given": [{"role": "user"}]}, 422, VARIANT),
        ({"given": [{"role": "user", "content": [{"type": "text"}]}]}, 422, VARIANT),
        ({"given": [{"type": "reasoning"}]}, 422, VARIANT),
        ({"given": [{"role": "critic", "content": "x"}]}, 400, "unknown role"),
        ({"given": [{"role": "user", "content": ""}]}, 400, "at least one content"),
        ({"given": [CALL]}, 400, "No tool output found"),
        ({"given": [OUTPUT]}, 400, "No tool call found"),
        ({"given": [{**CALL, "arguments": "x"}, OUTPUT]}, 400, "are not JSON"),
        ({"previous_response_id": "x", "instructions": "y"}, 400, "cannot be used together"),
        ({"previous_response_id": "x"}, 404, "Response with id=x not found"),
        ({"max_output_tokens": 0}, 400, "max_output_tokens"),
        ({"max_turns": 0}, 400, "max_turns"),
        ({"temperature": 3}, 400, "temperature"),
        ({"top_logprobs": 2}, 400, "top_logprobs"),
        ({"search_parameters": {}}, 410, "Live search"),
        ({"model": "grok-2-1212", "reasoning": {"effort": "low"}}, 400, "reasoningEffort"),
        ({"include": ["inline_citations"]}, 400, "include"),
        ({"include": ["x"]}, 400, "include"),
        (
            {"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
            400,
            "Argument not supported: tools[].code_interpreter.container",
        ),
        ({"model": "grok-4.20-multi-agent-0309", "guidelines": ["x"]}, 400, "guidelines"),
        ({"previous_response_id": "none"}, 404, "Response with id=none not found"),
        ({"tool_choice": "required"}, 400, "no tools were specified"),
        ({"tools": [ADD], "tool_choice": "any"}, 422, "unknown variant `any`"),
        ({"tools": [ADD], "tool_choice": {"type": "function", "name": "x"}}, 400, "names no tool"),
        ({"tools": [{"type": "function", "function": {}}]}, 422, "missing field `name`"),
        ({"tools": [{"type": "browser"}]}, 422, "unknown variant `browser`"),
        ({"tools": [ADD, ADD]}, 400, "duplicate tool names"),
        ({"tools": [{"type": "web_search", "user_location": {}}]}, 400, "user_location"),
        ({"tools": [{"type": "web_search", "search_context_size": "low"}]}, 400, "context_size"),
        ({"tools": [{"type": "web_search", "allowed_domains": ["a"] * 6}]}, 400, "maximum of 5"),
        (
            {
                "tools": [
                    {"type": "web_search", "allowed_domains": ["a"], "excluded_domains": ["b"]}
                ]
            },
            400,
            "together",
        ),
        ({"tools": [{"type": "x_search", "allowed_x_handles": ["a"] * 21}]}, 400, "maximum of 20"),
        ({"tools": [{"type": "file_search"}]}, 422, "missing field `vector_store_ids`"),
        ({"model": "grok-4.20-multi-agent-0309", "tools": [ADD]}, 400, "client-side tools"),
        ({"model": "grok-4.20-multi-agent-0309", "max_output_tokens": 9}, 400, "maxTokens"),
        ({"text": {"format": {"type": "json_schema"}}}, 422, "missing field `schema`"),
    ],
)
def test_refusals(send_responses: Send, body: Json, status: int, text: str) -> None:
    """Invalid requests get an error."""
    response = send_responses(**body)
    assert response.status_code == status, response.text
    assert text in response.json()["error"]["error"]


def test_messages_are_ignored(gateway: Emulator, http: httpx.Client) -> None:
    """`messages` is ignored."""
    body = {"model": "grok-4.3", "messages": [{"role": "user", "content": "x"}], "max_tokens": 9}
    response = http.post("/v1/responses", json=body)
    assert (response.status_code, "missing field `input`" in response.text) == (422, True)
    http.post("/v1/responses", json={**body, "input": "x"})
    assert set(gateway.requests[-1].ignored) == {"messages", "max_tokens"}


def test_multi_agent(send_responses: Send, send_chat: Send) -> None:
    """Multi-agent models are available in the Responses API only."""
    model = "grok-4.20-multi-agent-0309"
    assert send_responses(model=model).status_code == 200
    assert send_chat(model=model).status_code == 400
