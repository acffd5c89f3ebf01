"""The Responses API: items, streams and stored responses."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.cases import for_each
from xai_lowcode.emulator import Emulator, EndStreamEarly, ErrorInStream

Send = Callable[..., httpx.Response]
Events = Callable[[str], list[Any]]
Json = dict[str, Any]
ADD: Json = {
    "type": "function",
    "name": "add",
    "description": "Adds numbers.",
    "parameters": {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a", "b"],
    },
}
ENCRYPTED = {"include": ["reasoning.encrypted_content"]}


def result(response: httpx.Response) -> Any:
    """Return the result of a success."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def kinds(body: Json) -> list[str]:
    """Return the types of the output items."""
    return [item["type"] for item in body["output"]]


def text_of(body: Json) -> str:
    """Return the text of a response."""
    return str(body["output"][-1]["content"][0]["text"])


def test_response(send_responses: Send) -> None:
    """A response has items and is completed; its output tokens include reasoning."""
    body = result(send_responses("Say 'pong'"))
    assert (body["object"], body["status"], kinds(body)) == (
        "response",
        "completed",
        ["reasoning", "message"],
    )
    assert text_of(body) == "pong"
    usage = body["usage"]
    assert usage["output_tokens"] == usage["output_tokens_details"]["reasoning_tokens"] + 1
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert body["output"][1]["id"] == f"msg_{body['id']}"


@for_each(
    ("model", "include", "summaries", "encrypted"),
    [
        ("grok-4.3", [], [1], False),
        ("grok-4.3", ENCRYPTED["include"], [1], True),
        ("grok-4", [], [], False),
        ("grok-4", ENCRYPTED["include"], [0], True),
        ("grok-4.7", [], [0], True),
        ("grok-3", ENCRYPTED["include"], [], False),
    ],
)
def test_reasoning(
    send_responses: Send, model: str, include: list[str], summaries: list[int], encrypted: bool
) -> None:
    """Some models return reasoning; it is encrypted on request, and always by the newest ones."""
    items = [
        item
        for item in result(send_responses(model=model, include=include))["output"]
        if item["type"] == "reasoning"
    ]
    assert [len(item["summary"]) for item in items] == summaries
    assert all(("encrypted_content" in item) == encrypted for item in items)


def test_the_limit_counts_visible_text(send_responses: Send) -> None:
    """Reasoning does not count for the limit, and a truncated response is incomplete."""
    body = result(send_responses("story", max_output_tokens=5))
    assert (body["status"], body["incomplete_details"]) == (
        "incomplete",
        {"reason": "max_output_tokens"},
    )
    details = body["usage"]["output_tokens_details"]
    assert body["usage"]["output_tokens"] - details["reasoning_tokens"] == 5
    assert result(send_responses("Say 'a'", max_output_tokens=5))["status"] == "completed"


def test_function_call(send_responses: Send) -> None:
    """A tool call is an item of a completed response, and its output leads to a response."""
    body = result(send_responses("add 2 and 3", tools=[ADD]))
    assert (kinds(body), body["status"]) == (["reasoning", "function_call"], "completed")
    call = body["output"][-1]
    assert json.loads(call["arguments"]) == {"a": 2, "b": 3}
    assert call["call_id"].startswith("call-")
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": "5"}
    items = [{"role": "user", "content": "add 2 and 3"}, *body["output"], output]
    again = result(send_responses(items, tools=[ADD]))
    assert "The tools found: 5" in text_of(again)


@for_each(
    ("choice", "called"),
    [
        ("auto", False),
        ("none", False),
        ("required", True),
        ({"type": "function", "name": "add"}, True),
    ],
)
def test_tool_choice(send_responses: Send, choice: Any, called: bool) -> None:
    """The tool choice applies and is in the response."""
    body = result(send_responses("Hello", tools=[ADD], tool_choice=choice))
    assert ("function_call" in kinds(body)) == called
    assert body["tool_choice"] == choice


def test_formats(send_responses: Send) -> None:
    """The text format applies and is in the response without its name."""
    schema = {
        "type": "object",
        "properties": {"age": {"type": "integer"}},
        "required": ["age"],
    }
    text_format = {"type": "json_schema", "name": "person", "schema": schema, "strict": True}
    body = result(send_responses("John is 30", text={"format": text_format}))
    assert json.loads(text_of(body)) == {"age": 30}
    assert body["text"] == {"format": {"type": "json_schema", "schema": schema}}
    json.loads(text_of(result(send_responses("x", text={"format": {"type": "json_object"}}))))


def test_echo(send_responses: Send) -> None:
    """The parameters are in the response."""
    request = {
        "temperature": 0.5,
        "top_p": 0.5,
        "max_output_tokens": 99,
        "parallel_tool_calls": False,
        "user": "u",
        "service_tier": "priority",
        "prompt_cache_key": "k",
        "instructions": "Be brief.",
        "store": False,
    }
    body = result(send_responses(**request, reasoning={"effort": "high"}))
    assert {name: body[name] for name in request} == request
    assert body["reasoning"] == {"effort": "high", "summary": "detailed"}
    assert result(send_responses(reasoning_effort="high"))["reasoning"]["effort"] == "high"


def test_instructions_are_a_system_message(send_responses: Send) -> None:
    """Instructions count like a system message of the same words."""
    items = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x"}]
    usages = [
        result(response)["usage"]
        for response in (send_responses(items), send_responses("x", instructions="Be brief."))
    ]
    assert usages[0] == usages[1]


def test_logprobs(send_responses: Send) -> None:
    """There is one log probability per token."""
    body = result(send_responses("Say 'a b'", model="grok-3", logprobs=True, top_logprobs=2))
    found = body["output"][-1]["content"][0]["logprobs"]
    assert [token["token"] for token in found] == ["a", " b"]
    assert len(found[0]["top_logprobs"]) == 2


def merged(events: list[Json]) -> list[Json]:
    """Add the deltas of a stream up to items."""
    items: list[Json] = []
    for event in events:
        kind = event["type"]
        if kind == "response.output_item.added":
            assert event["output_index"] == len(items)
            items.append(dict(event["item"]))
        elif kind == "response.output_item.done":
            _assert_same(items[event["output_index"]], event["item"])
            items[event["output_index"]] = event["item"]
        elif "output_index" in event:
            assert event["item_id"] == items[event["output_index"]]["id"]
            _add(items[event["output_index"]], event)
    return items


def _add(item: Json, event: Json) -> None:
    kind = event["type"]
    if kind == "response.output_text.delta":
        item["text"] = item.get("text", "") + event["delta"]
    elif kind == "response.reasoning_summary_text.delta":
        item["reasoning"] = item.get("reasoning", "") + event["delta"]
    elif kind == "response.function_call_arguments.delta":
        item["arguments"] += event["delta"]
    elif kind == "response.custom_tool_call_input.delta":
        item["input"] += event["delta"]


def _assert_same(built: Json, done: Json) -> None:
    if done["type"] == "message":
        assert built.get("text", "") == done["content"][0]["text"]
    if done["type"] == "reasoning" and done["summary"]:
        assert built["reasoning"] == done["summary"][0]["text"]
    for name in ("arguments", "input"):
        if name in done and done["type"] in {"function_call", "custom_tool_call"}:
            assert built[name] == done[name]


REQUESTS: dict[str, Json] = {
    "text": {},
    "no reasoning": {"model": "grok-3"},
    "encrypted": ENCRYPTED,
    "call": {"given": "add 1 and 2", "tools": [ADD]},
    "limit": {"given": "story", "max_output_tokens": 3},
    "web": {"given": "search the web", "tools": [{"type": "web_search"}], **ENCRYPTED},
    "x": {"given": "search x", "tools": [{"type": "x_search"}]},
    "code": {"given": "run code on 1 and 2", "tools": [{"type": "code_interpreter"}]},
    "files": {"given": "search files", "tools": [{"type": "file_search", "vector_store_ids": []}]},
    "image": {"given": "draw a cat", "tools": [{"type": "image_generation"}]},
    "logprobs": {"model": "grok-3", "logprobs": True},
    "unicode": {"given": "你好\u2028 🎉"},
}


@for_each("name", [*REQUESTS])
def test_a_stream_adds_up_to_the_response(send_responses: Send, events: Events, name: str) -> None:
    """Events are numbered, begin and end in order, and add up to the plain response."""
    found = events(send_responses(**REQUESTS[name], stream=True).text)
    plain = result(send_responses(**REQUESTS[name]))
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert [event["type"] for event in found[:2]] == ["response.created", "response.in_progress"]
    assert found[-1]["type"] == f"response.{plain['status']}"
    last = found[-1]["response"]
    assert merged(found) == last["output"]
    assert found[0]["response"]["usage"] is None
    assert last["usage"] == plain["usage"]
    assert without_own_ids(last) == without_own_ids(plain)


def without_own_ids(body: Json) -> Any:
    """Replace the id of a response, and the numbers derived from it, by fixed values."""
    output = json.dumps(body["output"]).replace(body["id"], "ID")
    items = json.loads(output)
    for item in items:
        for name in ("id", "call_id"):
            if name in item:
                item[name] = item[name][:5]
        if str(item.get("encrypted_content", "")).startswith("tco_"):
            item["encrypted_content"] = item["encrypted_content"][-40:]
    return items


def test_stream_has_no_done(send_responses: Send) -> None:
    """The last event is the terminal event."""
    assert "[DONE]" not in send_responses(stream=True).text


def test_floats_of_streams_have_32_bits(send_responses: Send, events: Events) -> None:
    """Floats of streams are rounded to 32 bits, those of plain responses are not."""
    assert result(send_responses())["temperature"] == 0.7
    found = events(send_responses(stream=True).text)
    assert {found[0]["response"]["temperature"], found[-1]["response"]["temperature"]} == {
        0.699999988079071
    }


def test_stored(http: httpx.Client, send_responses: Send) -> None:
    """A response can be retrieved until it is deleted."""
    body = result(send_responses())
    path = f"/v1/responses/{body['id']}"
    assert result(http.get(path)) == body
    assert result(http.delete(path)) == {"id": body["id"], "object": "response", "deleted": True}
    assert [http.get(path).status_code, http.delete(path).status_code] == [404, 404]
    assert send_responses("x", previous_response_id=body["id"]).status_code == 404


def test_not_stored(http: httpx.Client, send_responses: Send) -> None:
    """With `store=false` a response cannot be retrieved or continued."""
    body = result(send_responses(store=False))
    assert http.get(f"/v1/responses/{body['id']}").status_code == 404
    assert send_responses("x", previous_response_id=body["id"]).status_code == 404


def test_streams_are_stored(http: httpx.Client, send_responses: Send, events: Events) -> None:
    """A streamed response is stored like any other."""
    body = events(send_responses(stream=True).text)[-1]["response"]
    assert result(http.get(f"/v1/responses/{body['id']}"))["output"] == body["output"]


def test_previous_response(send_responses: Send) -> None:
    """`previous_response_id` is equivalent to sending all items again."""
    first = result(send_responses("add 2 and 3", tools=[ADD]))
    output = {
        "type": "function_call_output",
        "call_id": first["output"][-1]["call_id"],
        "output": "5",
    }
    second = result(send_responses([output], tools=[ADD], previous_response_id=first["id"]))
    whole = [{"role": "user", "content": "add 2 and 3"}, *first["output"], output]
    again = result(send_responses(whole, tools=[ADD]))
    assert text_of(second) == text_of(again)
    assert second["usage"] == again["usage"]
    assert second["previous_response_id"] == first["id"]
    third = result(send_responses("thanks", previous_response_id=second["id"]))
    assert third["usage"]["input_tokens"] > second["usage"]["input_tokens"] - 200


def test_every_output_can_be_sent_back(send_responses: Send) -> None:
    """Output items can be sent back unchanged."""
    for name, request in REQUESTS.items():
        body = result(send_responses(**request))
        if name == "call":
            continue
        items = [
            {"role": "user", "content": "x"},
            *body["output"],
            {"role": "user", "content": "y"},
        ]
        assert send_responses(items).status_code == 200, name


@pytest.mark.parametrize(
    ("error_format", "last"),
    [("event", "error"), ("nested", "error"), ("failed", "response.failed"), ("line", None)],
)
def test_errors_in_streams(
    gateway: Emulator, send_responses: Send, error_format: Any, last: str | None
) -> None:
    """A stream can end in an error event, in a failed response, or in a bare line."""
    gateway.inject(ErrorInStream(2, "busy", "server_error", form=error_format))
    text = send_responses(stream=True).text
    data = json.loads(text.strip().rpartition("data: ")[2])
    assert text.count("data: ") == 3
    assert data.get("type") == last
    assert "busy" in json.dumps(data)
    if error_format == "failed":
        assert data["response"]["status"] == "failed"
    if error_format == "nested":
        assert data["error"]["message"] == "busy"


def test_error_as_the_first_event(gateway: Emulator, send_responses: Send) -> None:
    """An overloaded service sends an error as the first event."""
    gateway.inject(ErrorInStream(0, "busy", "unavailable", form="nested"))
    text = send_responses(stream=True).text
    assert text.count("data: ") == 1
    assert json.loads(text.rpartition("data: ")[2])["type"] == "error"


def test_early_end(gateway: Emulator, send_responses: Send, events: Events) -> None:
    """A stream that ends early lacks the last event."""
    gateway.inject(EndStreamEarly(999))
    assert events(send_responses(stream=True).text)[-1]["type"] == "response.output_item.done"
