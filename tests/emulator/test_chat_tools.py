"""Function calls: when they are made, their arguments, and the response to their results."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode.emulator.fake_model.prompt_parsing import extract_hints
from xai_lowcode.emulator.fake_model.schema_filler import fill_schema

Send = Callable[..., httpx.Response]
Json = dict[str, Any]


def tool(name: str, description: str = "", **properties: Any) -> Json:
    """Create a tool, of which all parameters are required."""
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


WEATHER = tool("get_weather", "Get the weather at a location.", location={"type": "string"})
ADD = tool("add", "Add two integers.", a={"type": "integer"}, b={"type": "integer"})
MULTIPLY = tool("multiply", "Multiply two integers.", a={"type": "integer"}, b={"type": "integer"})
MAGIC = tool(
    "magic_function",
    "Applies a magic function to an input.",
    input={"type": "integer", "exclusiveMinimum": -1000, "exclusiveMaximum": 1000},
)


def calls(response: httpx.Response) -> list[tuple[str, Any]]:
    """Return the tool calls, with parsed arguments."""
    assert response.status_code == 200, response.text
    choice = response.json()["result"]["choices"][0]
    found = choice["message"].get("tool_calls") or []
    assert (choice["finish_reason"] == "tool_calls") == bool(found)
    return [(one["function"]["name"], json.loads(one["function"]["arguments"])) for one in found]


def test_required(send_chat: Send) -> None:
    """A required tool call has the numbers of the prompt as arguments."""
    prompt = "What is the value of magic_function(3)? Use the tool."
    response = send_chat(prompt, tools=[MAGIC], tool_choice="required")
    assert calls(response) == [("magic_function", {"input": 3})]
    message = response.json()["result"]["choices"][0]["message"]
    assert message["content"] == ""
    assert message["tool_calls"][0]["id"].startswith("call_")
    assert "index" not in message["tool_calls"][0]


def test_named(send_chat: Send) -> None:
    """A named tool is called, whatever the prompt says."""
    choice = {"type": "function", "function": {"name": "multiply"}}
    response = send_chat("Hello!", tools=[ADD, MULTIPLY], tool_choice=choice)
    assert [name for name, _ in calls(response)] == ["multiply"]


def test_none(send_chat: Send) -> None:
    """With the choice none no tool is called."""
    assert calls(send_chat("Add 2 and 3", tools=[ADD], tool_choice="none")) == []


@for_each(
    ("prompt", "names"),
    [
        ("What is the weather in San Francisco?", ["get_weather"]),
        ("Please add 2 and 3.", ["add"]),
        ("Add 2 and 3, and multiply 4 by 5", ["add", "multiply"]),
        ("Who wrote Faust?", []),
        ("Hello!", []),
    ],
)
def test_auto(send_chat: Send, prompt: str, names: list[str]) -> None:
    """With `auto` the model calls the tools that the prompt mentions, each once."""
    response = send_chat(prompt, tools=[WEATHER, ADD, MULTIPLY])
    assert [name for name, _ in calls(response)] == names


def test_parallel_calls(send_chat: Send) -> None:
    """Parallel tool calls have different ids and arguments, and can be disabled."""
    prompt = "add 2 and 3, then multiply 4 by 5"
    response = send_chat(prompt, tools=[ADD, MULTIPLY])
    assert calls(response) == [("add", {"a": 2, "b": 3}), ("multiply", {"a": 4, "b": 5})]
    found = response.json()["result"]["choices"][0]["message"]["tool_calls"]
    assert len({one["id"] for one in found}) == 2
    single = send_chat(prompt, tools=[ADD, MULTIPLY], parallel_tool_calls=False)
    assert len(calls(single)) == 1


def test_location(send_chat: Send) -> None:
    """The argument of a location is the place that the prompt names."""
    response = send_chat("What is the weather in Florence, Italy today?", tools=[WEATHER])
    assert calls(response) == [("get_weather", {"location": "Florence, Italy"})]


def test_no_parameters(send_chat: Send) -> None:
    """A tool without parameters is called with an empty object."""
    for parameters in ({"type": "object", "properties": {}}, {}):
        function = {"name": "now", "parameters": parameters}
        bare = {"type": "function", "function": function}
        assert calls(send_chat("now", tools=[bare], tool_choice="required")) == [("now", {})]


@pytest.mark.parametrize("name", ["你好啊集团", "こんにちは株式会社"])
def test_unicode(send_chat: Send, name: str) -> None:
    """Quoted text is unchanged in the arguments."""
    customer = tool("create_customer", customer_name={"type": "string"})
    prompt = f"Create a customer '{name}' (Hello Group)."
    response = send_chat(prompt, tools=[customer], tool_choice="required")
    assert calls(response) == [("create_customer", {"customer_name": name})]
    assert name in response.text


def test_a_required_call_is_of_a_tool_not_yet_called(send_chat: Send) -> None:
    """With a required tool call, each turn calls another tool, so that agents end."""
    history: list[Json] = [{"role": "user", "content": "add 2 and 3, then multiply 2 and 3"}]
    called = []
    for _ in range(3):
        response = send_chat(
            messages=history,
            tools=[ADD, MULTIPLY],
            tool_choice="required",
            parallel_tool_calls=False,
        )
        message = response.json()["result"]["choices"][0]["message"]
        (call,) = message["tool_calls"]
        called.append(call["function"]["name"])
        history += [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "5"},
        ]
    assert called[:2] == ["add", "multiply"]
    assert called[2] in called[:2]


def test_results_are_quoted(send_chat: Send) -> None:
    """After tool results the model responds with text that quotes them."""
    called = {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": one, "type": "function", "function": {"name": "add", "arguments": "{}"}}
            for one in ("c", "d")
        ],
    }
    results = [
        {"role": "tool", "tool_call_id": "c", "content": "sunny, 23 degrees"},
        {"role": "tool", "tool_call_id": "d", "content": [{"type": "text", "text": "windy"}]},
    ]
    user = {"role": "user", "content": "Add the weather"}
    response = send_chat(messages=[user, called, *results], tools=[ADD, WEATHER])
    assert calls(response) == []
    text = response.json()["result"]["choices"][0]["message"]["content"]
    assert "sunny, 23 degrees; windy" in text
    again = send_chat(messages=[user, called, *results, user], tools=[ADD, WEATHER])
    assert [name for name, _ in calls(again)] == ["add", "get_weather"]


def filled(schema: Json, prompt: str = "", **options: bool) -> Any:
    """Fill a schema from a prompt."""
    return fill_schema(schema, extract_hints(prompt), **options)


NOUNS = {
    "Tell me about Vienna in Austria, it has 2 million inhabitants.": ["Vienna", "Austria"],
    "Ada Lovelace is 36 years old.": ["Ada Lovelace"],
    "Ada is 36. She knew Charles Babbage.": ["Ada", "Charles Babbage"],
    "Extract the person: Grace Hopper, 85.": ["Grace Hopper"],
    "Describe Nestlé S.A. and Müller-Thurgau": ["Nestlé", "Müller-Thurgau"],
    "Ask Anna. Élise and Bob": ["Anna", "Élise", "Bob"],
}


@for_each("prompt", [*NOUNS])
@for_each("field", ["name", "full_name", "Title", "author"])
def test_fields_of_names_have_proper_nouns(prompt: str, field: str) -> None:
    """Names are the proper nouns in order, unless strings are quoted; other fields the prompt."""
    names = {f"{number}_{field}": {"type": "string"} for number in range(len(NOUNS[prompt]))}
    schema = {"type": "object", "properties": {**names, "question": {"type": "string"}}}
    values = list(filled(schema, prompt, fill_optional=True).values())
    assert values == [*NOUNS[prompt], prompt]
    assert filled(schema, f"'x y' {prompt}", fill_optional=True)[f"0_{field}"] == "x y"


@for_each("prompt", ["what is it?", "I see.", "Explain this", "", "42"])
def test_a_name_without_a_proper_noun(prompt: str) -> None:
    """Without a proper noun, the value is the prompt, or the name of the field."""
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    assert filled(schema, prompt, fill_optional=True) == {"name": prompt or "name"}


@for_each(
    ("schema", "prompt", "value"),
    [
        ({"type": "integer"}, "take 1,200 of 7", 1200),
        ({"type": "integer"}, "3.5 or 4", 4),
        ({"type": "number"}, "-3.5km", -3.5),
        ({"type": "integer", "maximum": 10}, "99", 10),
        ({"type": "integer", "minimum": 5, "multipleOf": 4}, "1", 8),
        ({"type": "string"}, "call it 'blue sky', please", "blue sky"),
        ({"type": "string"}, "don't stop, it's fine", "don't stop, it's fine"),
        ({"type": "string"}, "the dogs' and cats' toys", "the dogs' and cats' toys"),
        ({"type": "string", "maxLength": 3}, "hello", "hel"),
        ({"type": "string", "format": "date"}, "on 2026-05-04 at 9", "2026-05-04"),
        (
            {"type": "string", "format": "date-time"},
            "at 2026-05-04T10:00:00Z",
            "2026-05-04T10:00:00Z",
        ),
        ({"type": "string", "format": "email"}, "to ann@example.org.", "ann@example.org"),
        ({"enum": ["celsius", "fahrenheit"]}, "in Fahrenheit", "fahrenheit"),
        ({"const": 5}, "", 5),
        ({"type": ["string", "null"]}, "x", "x"),
        ({"type": "array", "items": {"type": "integer"}}, "sort 3, 1 and 2", [3, 1, 2]),
        ({"type": "array", "items": {"type": "integer"}}, "[3,1,-2]", [3, 1, -2]),
        ({"type": "array", "items": {"type": "integer"}}, "7-4", [7, 4]),
        ({"type": "array", "items": {"type": "integer"}, "maxItems": 2}, "3, 1, 2", [3, 1]),
        ({"type": "array", "items": {"type": "string"}}, "'a' and 'b'", ["a", "b"]),
        ({"allOf": [{"type": "integer"}, {"minimum": 9}]}, "3", 9),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, "8", 8),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, "8", 8),
        ({"type": "boolean"}, "false", False),
    ],
)
def test_filling(schema: Json, prompt: str, value: Any) -> None:
    """A value is derived from the prompt."""
    assert filled(schema, prompt) == value


def test_optional_fields() -> None:
    """An optional field is filled if the prompt mentions it, or with `fill_optional`."""
    schema = {
        "type": "object",
        "properties": {"unit": {"enum": ["celsius"]}, "size": {"type": "integer"}},
    }
    assert filled(schema, "in celsius") == {"unit": "celsius"}
    assert filled(schema, "size 4") == {"size": 4}
    assert filled(schema, "", fill_optional=True) == {"unit": "celsius", "size": 1}


def test_values_next_to_the_name_of_a_field() -> None:
    """A value next to the name of a field is used for the field, in any order."""
    schema = {
        "type": "object",
        "properties": {"low": {"type": "integer"}, "high": {"type": "integer"}},
        "required": ["low", "high"],
    }
    assert filled(schema, "high = 9, low: 2") == {"low": 2, "high": 9}


def test_denied_fields_are_null() -> None:
    """A nullable field that the prompt denies is null."""
    schema = {
        "type": "object",
        "properties": {"punchline": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["punchline"],
    }
    assert filled(schema, "A joke, no punchline") == {"punchline": None}
    assert filled(schema, "A joke")["punchline"]


def test_recursive_schemas() -> None:
    """A recursive schema is filled with a finite value."""
    node = {
        "type": "object",
        "properties": {
            "value": {"type": "integer"},
            "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
        },
        "required": ["value", "children", "next"],
    }
    schema = {"$ref": "#/$defs/node", "$defs": {"node": node}}
    jsonschema.validate(filled(schema, "1", fill_optional=True), schema)


def leaves() -> st.SearchStrategy[Json]:
    """Generate schemas without fields."""
    bounds = st.integers(-50, 50)
    spans = st.tuples(bounds, st.integers(2, 60))
    sizes = st.tuples(st.integers(0, 5), st.integers(0, 9))
    return st.one_of(
        st.sampled_from(["integer", "number", "string", "boolean", "null"]).map(
            lambda kind: {"type": kind}
        ),
        spans.map(lambda s: {"type": "integer", "minimum": s[0], "maximum": s[0] + s[1]}),
        spans.map(
            lambda s: {"type": "number", "exclusiveMinimum": s[0], "exclusiveMaximum": s[0] + s[1]}
        ),
        spans.map(lambda s: {"type": "integer", "minimum": s[0], "multipleOf": s[1]}),
        sizes.map(lambda s: {"type": "string", "minLength": s[0], "maxLength": s[0] + s[1]}),
        st.sampled_from(["date", "date-time", "email", "uri", "uuid", "ipv4"]).map(
            lambda form: {"type": "string", "format": form}
        ),
        st.lists(st.sampled_from(["red", "green", 7, True]), min_size=1, unique_by=repr).map(
            lambda words: {"enum": words}
        ),
    )


def branches(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Generate schemas with fields."""
    names = st.sampled_from(["name", "city", "count", "ünïcode", "a_b"])
    objects = st.dictionaries(names, inner, max_size=4).flatmap(
        lambda members: st.sets(st.sampled_from(sorted(members)) if members else st.nothing()).map(
            lambda required: {
                "type": "object",
                "properties": members,
                "required": sorted(required),
                "additionalProperties": False,
            }
        )
    )
    counts = st.tuples(st.integers(0, 3), st.integers(0, 3))
    arrays = st.tuples(inner, counts).map(
        lambda pair: {
            "type": "array",
            "items": pair[0],
            "minItems": pair[1][0],
            "maxItems": sum(pair[1]),
        }
    )
    unions = st.lists(inner, min_size=1, max_size=3).map(lambda many: {"anyOf": many})
    return st.one_of(objects, arrays, unions)


@given(
    schema=st.recursive(leaves(), branches, max_leaves=12),
    prompt=st.one_of(
        st.text(max_size=40),
        st.sampled_from(["add 2 and -3.5 'quoted' in Paris", "no city, count: 4, 2026-01-02"]),
    ),
    fill_optional=st.booleans(),
)
def test_any_schema_is_filled(schema: Json, prompt: str, fill_optional: bool) -> None:
    """Any schema is filled with a value that is valid, from any prompt."""
    checker = jsonschema.FormatChecker()
    value = filled(schema, prompt, fill_optional=fill_optional)
    jsonschema.validate(value, schema, format_checker=checker)
