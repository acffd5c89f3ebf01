"""Chat requests that xAI rejects, with status and error text."""

import base64
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cases import for_each
from xai_lowcode.emulator import Emulator

Send = Callable[..., httpx.Response]
Json = dict[str, Any]
USER = {"role": "user", "content": "x"}
NO_CONTENT = "Each message must have at least one content element."


def tool(name: str = "t", parameters: Any = None) -> Json:
    """Create a tool."""
    schema = {"type": "object", "properties": {}} if parameters is None else parameters
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def assistant_with_calls(*ids: str, arguments: Any = "{}", **more: Any) -> Json:
    """Create an assistant message with calls."""
    calls = [
        {"id": one, "type": "function", "function": {"name": "t", "arguments": arguments}}
        for one in ids
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls, **more}


def result(call_id: str) -> Json:
    """Create a tool message."""
    return {"role": "tool", "content": "r", "tool_call_id": call_id}


def image(form: str = "PNG", declared: str | None = None) -> str:
    """Create a data URL."""
    file = BytesIO()
    Image.new("RGB", (4, 3)).save(file, form)
    kind = declared or f"image/{form.lower()}"
    return f"data:{kind};base64,{base64.b64encode(file.getvalue()).decode()}"


def messages_with_image(url: Any) -> list[Json]:
    """Create messages with one image."""
    part = {"type": "image_url", "image_url": url}
    return [{"role": "user", "content": [part]}]


def error(response: httpx.Response) -> tuple[int, str]:
    """Return status and text of a provider error."""
    return response.status_code, response.json()["error"]["error"]


@for_each(
    ("body", "text"),
    [
        ({"messages": "x"}, 'messages: invalid type: string "x", expected a sequence'),
        (
            {"messages": [{"role": "robot", "content": "x"}]},
            "messages[0].role: unknown variant `robot`",
        ),
        ({"messages": [{"role": "developer", "content": "x"}]}, "unknown variant `developer`"),
        ({"messages": [{"content": "x"}]}, "messages[0]: missing field `role`"),
        ({"messages": [{"role": "user"}]}, "messages[0]: missing field `content`"),
        (
            {"messages": [USER | {"content": 7}]},
            "did not match any variant of untagged enum Content",
        ),
        (
            {"messages": [USER | {"content": [{"type": "tool_use"}]}]},
            "content[0].type: unknown variant",
        ),
        ({"messages": [USER | {"content": [{"type": "text"}]}]}, "missing field `text`"),
        (
            {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {}}]}]},
            "content[0].type: unknown variant `image_url`, expected `text`",
        ),
        (
            {"messages": [USER | {"content": [{"type": "image_url", "image_url": "http://x/"}]}]},
            "image_url: invalid type: string",
        ),
        ({"temperature": "hot"}, 'temperature: invalid type: string "hot", expected f32'),
        ({"stream": 1}, "stream: invalid type: integer `1`, expected a boolean"),
        ({"n": True}, "n: invalid type: boolean `True`, expected i32"),
        ({"seed": 2**40}, "seed: invalid value"),
        ({"stop": "x"}, 'stop: invalid type: string "x", expected a sequence'),
        ({"stream_options": {}}, "stream_options: missing field `include_usage`"),
        ({"tool_choice": "any"}, "tool_choice: unknown variant `any`"),
        ({"tool_choice": {"name": "t"}}, "tool_choice: missing field `type`"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type: unknown variant `web_search`"),
        ({"tools": [{"type": "function", "function": {"parameters": {}}}]}, "missing field `name`"),
        (
            {"tools": [{"type": "function", "function": {"name": "t"}}]},
            "missing field `parameters`",
        ),
        (
            {"messages": [assistant_with_calls("c", arguments={})]},
            "arguments: invalid type: map, expected a string",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type: unknown variant `xml`"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}},
            "missing field `name`",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "missing field `schema`",
        ),
    ],
)
def test_wrong_types(send_chat: Send, body: Json, text: str) -> None:
    """A body of the wrong type gets a 422 with the path of the mismatch."""
    status, found = error(send_chat(**body))
    assert status == 422
    assert found.startswith("Failed to deserialize the JSON body into the target type: ")
    assert text in found


@for_each(
    ("body", "text"),
    [
        ({"model": "gpt-4"}, "Model not found: gpt-4"),
        ({"model": None}, "Model not found: "),
        ({"model": "grok-nonexistent"}, "Model not found: grok-nonexistent"),
        ({"model": "grok-imagine-image"}, "does not support chat completions"),
        ({"model": "grok-4.20-multi-agent-0309"}, "does not support chat completions"),
        ({"messages": []}, "messages must not be empty"),
        ({"messages": [USER | {"content": None}]}, NO_CONTENT),
        ({"messages": [USER | {"content": ""}]}, NO_CONTENT),
        ({"messages": [USER | {"content": []}]}, NO_CONTENT),
        ({"messages": [{"role": "assistant"}]}, NO_CONTENT),
        ({"messages": [assistant_with_calls("c", content=None), result("c")]}, NO_CONTENT),
        ({"messages": [assistant_with_calls("c", content=[]), result("c")]}, NO_CONTENT),
        ({"messages": [{"role": "system", "content": "x", "name": "n"}]}, "name is not allowed"),
        ({"messages": [{"role": "assistant", "content": "x", "name": "n"}]}, "name is not allowed"),
        ({"messages": [USER, result("c")]}, "No tool call found"),
        ({"messages": [USER, assistant_with_calls("c"), result("d")]}, "No tool call found"),
        (
            {"messages": [USER, assistant_with_calls("c")]},
            "No tool output found for function call c",
        ),
        (
            {"messages": [USER, assistant_with_calls("c"), USER]},
            "No tool output found for function call c",
        ),
        (
            {"messages": [USER, assistant_with_calls("c", "d"), result("c")]},
            "No tool output found for function call d",
        ),
        (
            {"messages": [USER, assistant_with_calls("c"), result("c"), result("c")]},
            "Duplicate tool output",
        ),
        (
            {"messages": [USER, assistant_with_calls("c", "c"), result("c")]},
            "duplicate tool call ids",
        ),
        (
            {"messages": [USER, assistant_with_calls("c", arguments="{"), result("c")]},
            "are not JSON",
        ),
        (
            {"messages": [USER, assistant_with_calls("c", arguments="[]"), result("c")]},
            "are not JSON",
        ),
        ({"tool_choice": "required"}, "no tools were specified"),
        ({"tool_choice": "auto", "tools": []}, "no tools were specified"),
        (
            {"tools": [tool()], "tool_choice": {"type": "function", "function": {"name": "u"}}},
            "names no tool",
        ),
        ({"tools": [tool()], "tool_choice": {"type": "function"}}, "names no tool"),
        ({"tools": [tool(f"t{index}") for index in range(201)]}, "maximum is 200"),
        ({"tools": [tool(), tool()]}, "duplicate tool names"),
        ({"tools": [tool("")]}, "needs a name"),
        ({"temperature": 2.1}, "temperature must be between 0 and 2"),
        ({"temperature": -0.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"n": 0}, "n must be"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"logprobs": True, "top_logprobs": 9}, "top_logprobs must be"),
        ({"top_logprobs": 1}, "requires logprobs"),
        ({"model": "grok-3", "stop": list("abcde")}, "at most 4"),
        ({"model": "grok-3", "frequency_penalty": 2.5}, "frequency_penalty"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "", "schema": {}}}},
            "needs a name",
        ),
    ],
)
def test_wrong_arguments(send_chat: Send, body: Json, text: str) -> None:
    """Invalid values of the right type get a 400."""
    status, found = error(send_chat(**body))
    assert status == 400
    assert text in found


@for_each(
    ("schema", "text"),
    [
        ({"type": "string"}, "root must be an object type"),
        (True, "root must be an object type"),
        ({"anyOf": [{"type": "object"}, {"type": "string"}]}, "union with a non-object branch"),
        ({"type": "object", "properties": {"a": {"enum": ["x", None]}}}, "null inside enum"),
        ({"type": "object", "properties": {"a": {"enum": []}}}, "empty enum"),
        ({"type": "object", "properties": {"a": {"anyOf": []}}}, "empty anyOf"),
        ({"type": "object", "properties": {"a": True}}, "boolean schema at #/properties/a"),
        ({"type": "object", "properties": {"a": {"items": [{}]}}}, "array-form items"),
        (
            {"type": "object", "properties": {"a": {"contains": {}, "minContains": 1}}},
            "minContains",
        ),
        (
            {"type": "object", "properties": {"a": {"contains": {}, "maxContains": 1}}},
            "maxContains",
        ),
        ({"type": "object", "$defs": {"d": {"items": {"enum": [None]}}}}, "at #/$defs/d/items"),
    ],
)
def test_bad_schemas(send_chat: Send, schema: Any, text: str) -> None:
    """A schema that xAI cannot compile is refused, in a tool and in a response format."""
    status, found = error(send_chat(tools=[tool("t", schema)]))
    assert status == 400
    assert text in found
    if isinstance(schema, dict):
        form = {"type": "json_schema", "json_schema": {"name": "t", "schema": schema}}
        assert error(send_chat(response_format=form)) == (400, found)


@pytest.mark.parametrize(
    "schema", [{}, {"type": "object"}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}]
)
def test_good_roots(send_chat: Send, schema: Json) -> None:
    """An empty schema, an object without fields and a reference to one are valid roots."""
    assert send_chat(tools=[tool("t", schema)]).status_code == 200


@for_each(
    "url",
    [
        {"url": "ftp://x/y.png"},
        {"url": "image.png"},
        {"url": "data:image/png;base64,aGVsbG8="},
        {"url": "data:image/png;base64,???"},
        {"url": "data:text/plain;base64,aGVsbG8="},
        {"url": image("GIF")},
        {"url": image("JPEG", "image/png")},
        {"url": "https://"},
        {},
        {"url": "https://x/y.png", "file_id": "f"},
    ],
)
def test_bad_images(send_chat: Send, url: Json) -> None:
    """An image is a web URL, a file id, or a data URL of the declared format."""
    status, _ = error(send_chat(messages=messages_with_image(url)))
    assert status == 400


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_good_images(send_chat: Send, form: str) -> None:
    """Three image formats are accepted."""
    assert send_chat(messages=messages_with_image({"url": image(form)})).status_code == 200


def test_text_only_models(send_chat: Send) -> None:
    """A text-only model accepts a single text part."""
    pair = [{"role": "user", "content": [{"type": "text", "text": one} for one in "ab"]}]
    for messages in (pair, messages_with_image({"url": "https://x/y.png"})):
        text = "The model expects a single `text` element per message."
        assert error(send_chat(model="grok-3", messages=messages)) == (400, text)
    single = [{"role": "user", "content": [{"type": "text", "text": "a"}]}]
    assert send_chat(model="grok-3", messages=single).status_code == 200


def test_file_without_id_and_url(send_chat: Send) -> None:
    """A file part needs an id or a URL."""
    messages = [{"role": "user", "content": [{"type": "file", "file": {}}]}]
    assert send_chat(messages=messages).status_code == 400


@for_each(
    "messages",
    [
        [{"role": "system", "content": "s"}, {"role": "system", "content": "s"}, USER, USER],
        [USER, {"role": "assistant", "content": "a"}, {"role": "assistant", "content": "b"}, USER],
        [USER | {"name": "ann"}],
        [USER, {**assistant_with_calls("c"), "content": "prose"}, result("c")],
        [
            USER,
            {key: text for key, text in assistant_with_calls("c").items() if key != "content"},
            result("c"),
        ],
        [USER, assistant_with_calls("c", "d"), result("d"), result("c"), USER],
        [{"role": "assistant", "content": "a", "reasoning_content": "r"}, USER],
    ],
)
def test_valid_messages_are_accepted(send_chat: Send, messages: list[Json]) -> None:
    """Any order of roles is accepted, and messages of the model can be sent back."""
    assert send_chat(messages=messages).status_code == 200


def test_ignored_values_are_accepted(gateway: Emulator, send_chat: Send) -> None:
    """A name on a tool message is ignored, and so is a tool choice of an unknown type."""
    messages = [USER, assistant_with_calls("c"), result("c") | {"name": "t"}]
    choice = {"type": "tool", "name": "t"}
    assert send_chat(messages=messages, tools=[tool()], tool_choice=choice).status_code == 200
    assert set(gateway.requests[-1].ignored) == {"messages[2].name", "tool_choice.name"}


def test_unknown_fields_are_ignored(gateway: Emulator, send_chat: Send) -> None:
    """Unknown fields are ignored and recorded."""
    assert send_chat(top_k=5, cache_control={}, max_tokens=None).status_code == 200
    assert set(gateway.requests[-1].ignored) == {"top_k", "cache_control"}


def test_an_empty_tool_result_is_accepted(send_chat: Send) -> None:
    """An empty tool result is accepted; a missing one is not."""
    assert (
        send_chat(
            messages=[USER, assistant_with_calls("c"), result("c") | {"content": ""}]
        ).status_code
        == 200
    )
    assert (
        send_chat(
            messages=[USER, assistant_with_calls("c"), result("c") | {"content": []}]
        ).status_code
        == 400
    )
