"""Both adapters parse the same response to the same object, or raise.

Each response is parsed by each method of each adapter, sync and async, plain and streamed. Pydantic
validates the object; the core decodes the JSON.
"""

import asyncio
import functools
import json
import warnings
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Literal

import httpx
import pytest
from langchain_core.exceptions import OutputParserException
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel, ConfigDict, RootModel

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import StructuredOutputError, XAILowCode
from xai_lowcode.emulator import Emulator, Reply, running


class Color(Enum):
    """A color."""

    RED = "red"
    BLUE = "blue"


class Wheel(BaseModel):
    """A wheel."""

    size: int


class Bike(BaseModel):
    """A bike."""

    name: str
    count: int = 1
    color: Color | None = None
    wheels: list[Wheel] = []
    rider: Wheel | str | None = None


class Closed(BaseModel):
    """A class without further fields."""

    model_config = ConfigDict(extra="forbid")
    name: str


class Strict(BaseModel):
    """A class in strict mode, which converts only types that JSON does not have."""

    model_config = ConfigDict(strict=True)
    name: str
    color: Color
    sizes: tuple[int, int] = (1, 2)


class Node(BaseModel):
    """A node, which contains others."""

    value: int
    children: list["Node"] = []


class Cat(BaseModel):
    """A cat."""

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """A dog."""

    kind: Literal["dog"]
    tricks: list[str]


class Numbers(RootModel[list[int]]):
    """Numbers."""


class Animal(RootModel[Cat | Dog]):
    """An animal."""


class Counts(RootModel[dict[str, int]]):
    """Counts by name, which are an object already."""


class Nothing(RootModel[int | None]):
    """A number, or none."""


ERROR = "error"
BIKE = {"name": "Zoe", "count": 1, "color": None, "wheels": [], "rider": None}
BIG = 25123456789012345678901
ZOE = '{"name": "Zoe"}'
# Class, text of the response, and the expected object as JSON.
OBJECTS: list[tuple[type[BaseModel], str, Any]] = [
    (Bike, ZOE, BIKE),
    (Bike, f" \n\t{ZOE}\r\n ", BIKE),
    (Bike, '{"name": "a\nb\tc"}', {**BIKE, "name": "a\nb\tc"}),
    (Bike, '{"name": "\\ud83d"}', {**BIKE, "name": "\ufffd"}),
    (Bike, '{"name": "```json\\n{}\\n```"}', {**BIKE, "name": "```json\n{}\n```"}),
    (Bike, f'{{"name": "Zoe", "count": {BIG}}}', {**BIKE, "count": BIG}),
    (Bike, '{"name": "Zoe", "count": "3"}', {**BIKE, "count": 3}),
    (Bike, '{"name": "Zoe", "count": 3.0}', {**BIKE, "count": 3}),
    (Bike, '{"name": "Zoe", "count": 3.5}', ERROR),
    (Bike, '{"name": "Zoe", "count": "three"}', ERROR),
    (Bike, '{"name": "Zoe", "count": null}', ERROR),
    (Bike, '{"name": 3}', ERROR),
    (Bike, '{"name": null}', ERROR),
    (Bike, '{"name": "Zoe", "color": null}', BIKE),
    (Bike, '{"name": "Zoe", "color": "blue"}', {**BIKE, "color": "blue"}),
    (Bike, '{"name": "Zoe", "color": "Blue"}', ERROR),
    (Bike, '{"name": "Zoe", "extra": {"x": [1]}}', BIKE),
    (Bike, '{"name": "Zoe", "name": "Ada"}', {**BIKE, "name": "Ada"}),
    (Bike, '{"name": "Zoe", "wheels": [{"size": 28}]}', {**BIKE, "wheels": [{"size": 28}]}),
    (Bike, '{"name": "Zoe", "wheels": {"size": 28}}', ERROR),
    (Bike, '{"name": "Zoe", "rider": {"size": 1}}', {**BIKE, "rider": {"size": 1}}),
    (Bike, '{"name": "Zoe", "rider": "x"}', {**BIKE, "rider": "x"}),
    (Closed, '{"name": "Zoe", "extra": 1}', ERROR),
    (
        Strict,
        '{"name": "Zoe", "color": "red", "sizes": [3, 4]}',
        {"name": "Zoe", "color": "red", "sizes": [3, 4]},
    ),
    (Strict, '{"name": "Zoe", "color": "red", "sizes": ["3", 4]}', ERROR),
    (
        Node,
        '{"value": 1, "children": [{"value": 2}]}',
        {"value": 1, "children": [{"value": 2, "children": []}]},
    ),
    (Node, '{"value": 1, "children": [{}]}', ERROR),
    (Numbers, '{"value": [1, 2]}', [1, 2]),
    (Numbers, '{"value": []}', []),
    (Numbers, '{"value": ["x"]}', ERROR),
    (Numbers, '{"values": [1]}', ERROR),
    (Animal, '{"value": {"kind": "dog", "tricks": ["sit"]}}', {"kind": "dog", "tricks": ["sit"]}),
    (Animal, '{"value": {"kind": "cow"}}', ERROR),
    (Animal, '{"kind": "dog", "tricks": []}', ERROR),
    (Counts, '{"a": 1, "value": 2}', {"a": 1, "value": 2}),
    (Nothing, '{"value": null}', None),
    # Not JSON, or not an object: nothing is repaired.
    (Bike, '{"name": "Zoe",}', ERROR),
    (Bike, '{"name": "Zoe"', ERROR),
    (Bike, '{"name": "Zo', ERROR),
    (Bike, "{'name': 'Zoe'}", ERROR),
    (Bike, f"{ZOE}{ZOE}", ERROR),
    (Bike, f"[{ZOE}]", ERROR),
    (Bike, '"Zoe"', ERROR),
    (Bike, "null", ERROR),
    (Bike, "NaN", ERROR),
    (Bike, "I do not know.", ERROR),
    (Numbers, "[1, 2]", ERROR),
    (Numbers, "null", ERROR),
]
# As arguments of a tool call, all but the first are errors, and LangChain rejects that in streams.
TEXTS: list[tuple[type[BaseModel], str, Any]] = [
    (Bike, f"\ufeff{ZOE}", BIKE),
    (Bike, f"```json\n{ZOE}\n```", BIKE),
    (Bike, f"```\n{ZOE}\n```", BIKE),
    (Bike, f"```JSON\r\n{ZOE}\r\n```\r\n", BIKE),
    (Bike, f"```json5 \n{ZOE}", BIKE),
    (Bike, f"```json {ZOE} ```", BIKE),
    (Bike, f"```{ZOE}```", BIKE),
    (Bike, f"\ufeff\n```json\n\ufeff{ZOE}\n```", BIKE),
    (Bike, f"Here is [1] `it`:\n\n```json\n{ZOE}\n```\nIt is a {{bike}}.", BIKE),
    (Bike, '```json\n{"name": "`a` ```b```"}\n```', {**BIKE, "name": "`a` ```b```"}),
    (Bike, f"```json\n{ZOE}\n```\nor\n```json\n{ZOE}\n```", ERROR),
    (Bike, f"Here it is: {ZOE}", BIKE),
    (Bike, f"{ZOE} That is it.", BIKE),
    (Bike, f"Here it is:\n{ZOE}\nThat is it.", BIKE),
    (Bike, f"It is a {{bike}}: {ZOE}", ERROR),
    (Bike, f"{ZOE} or {ZOE}", ERROR),
    (Bike, f"Here it is: [{ZOE}]", ERROR),
    (Bike, f"Here it is: [{ZOE}, ", ERROR),
    (Bike, f'"bike": {ZOE}', ERROR),
    (Bike, f"[{ZOE}", ERROR),
    (Bike, f"{ZOE}]", ERROR),
    (Bike, "Here it is: }{", ERROR),
    (Bike, '```json\n{"name": "Zoe",}\n```', ERROR),
    (Bike, '```json\n{"name": "Zoe"\n```', ERROR),
    (Bike, "```json\n```", ERROR),
    (Numbers, '```json\n{"value": [1]}\n```', [1]),
    (Bike, " \n", ERROR),
]
LANGCHAIN = {"text": "json_schema", "tool": "function_calling"}
LLAMA_INDEX: dict[str, dict[str, Any]] = {
    "text": {},
    "tool": {"should_use_structured_outputs": False},
}
PROMPT = PromptTemplate("Hello")
Parse = Callable[[type[BaseModel]], Any]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Emulator]:
    """Run the emulator for this module."""
    with running() as gateway:
        yield gateway


async def _collect(stream: Any) -> list[Any]:
    return [item async for item in stream]


async def _await_collect(stream: Any) -> list[Any]:
    return await _collect(await stream)


class Repeater:
    """A handler of requests: only the first of a kind, plain or streamed, is for the emulator.

    Others get the same response, which takes a third of the time.
    """

    def __init__(self) -> None:
        self._client = httpx.Client()
        self._responses: dict[bool, httpx.Response] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Return the response."""
        kind = json.loads(request.content).get("stream", False)
        if kind not in self._responses:
            self._responses[kind] = self._client.send(request)
        first = self._responses[kind]
        headers = {"Content-Type": first.headers["Content-Type"]}
        return httpx.Response(first.status_code, headers=headers, content=first.content)

    def forget(self) -> None:
        """Let the emulator respond to the next request of each kind."""
        self._responses.clear()

    def close(self) -> None:
        """Close the connections to the emulator."""
        self._client.close()


@pytest.fixture
def repeater() -> Iterator[Repeater]:
    """Close the handler after the test."""
    repeater = Repeater()
    yield repeater
    repeater.close()


def models(
    gateway: Emulator, method: str, handler: Callable[[httpx.Request], httpx.Response] | None = None
) -> tuple[Callable[[Any], Any], Any]:
    """Return a function that creates LangChain's chain for a class, and LlamaIndex's model."""
    connection: dict[str, Any] = {
        "api_token": gateway.api_token,
        "base_url": gateway.base_url,
        "max_retries": 0,
    }
    if handler:
        transport = httpx.MockTransport(handler)
        connection["http_client"] = httpx.Client(transport=transport)
        connection["http_async_client"] = httpx.AsyncClient(transport=transport)
    chat: Any = ChatXAILowCode(model="grok-4.20-non-reasoning", **connection)
    llm: Any = XAILowCode(model="grok-4.20-non-reasoning", **connection, **LLAMA_INDEX[method])

    @functools.cache
    def chain(output_cls: Any) -> Any:
        return chat.with_structured_output(output_cls, method=LANGCHAIN[method])

    return chain, llm


def streams(chain: Callable[[Any], Any], llm: Any) -> dict[str, Parse]:
    """Return the methods that stream partial objects; each returns a list."""
    return {
        "stream": lambda cls: list(chain(cls).stream("Hello")),
        "astream": lambda cls: asyncio.run(_collect(chain(cls).astream("Hello"))),
        "stream_structured_predict": lambda cls: list(llm.stream_structured_predict(cls, PROMPT)),
        "astream_structured_predict": lambda cls: asyncio.run(
            _await_collect(llm.astream_structured_predict(cls, PROMPT))
        ),
    }


def parsers(chain: Callable[[Any], Any], llm: Any) -> dict[str, Parse]:
    """Return all methods that return an object."""
    last = {
        name: (lambda cls, parse_all=parse_all: parse_all(cls)[-1])
        for name, parse_all in streams(chain, llm).items()
    }
    return last | {
        "invoke": lambda cls: chain(cls).invoke("Hello"),
        "ainvoke": lambda cls: asyncio.run(chain(cls).ainvoke("Hello")),
        "structured_predict": lambda cls: llm.structured_predict(cls, PROMPT),
        "astructured_predict": lambda cls: asyncio.run(llm.astructured_predict(cls, PROMPT)),
        "as_structured_llm": lambda cls: llm.as_structured_llm(cls).complete("Hello").raw,
    }


def outcome(parse: Parse, output_cls: type[BaseModel]) -> Any:
    """Return the object as JSON, or ``ERROR``."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Tool call")
        try:
            value = parse(output_cls)
        except (OutputParserException, StructuredOutputError):
            return ERROR
    assert type(value) is output_cls
    return json.loads(value.model_dump_json())


@pytest.mark.parametrize("method", ["text", "tool"])
def test_both_adapters_parse_the_same_object(
    gateway: Emulator, repeater: Repeater, method: str
) -> None:
    """Each response gives the expected object or an error, in each method."""
    wrong = {}
    parse_functions = parsers(*models(gateway, method, repeater))
    texts = TEXTS if method == "text" else [(*case[:2], ERROR) for case in TEXTS[1:]]
    for output_cls, text, expected in [*OBJECTS, *texts]:
        gateway.reset()
        repeater.forget()
        reply = text if method == "text" else Reply(tool_calls=[(output_cls.__name__, text)])
        gateway.reply(reply, reply)
        for name, parse in parse_functions.items():
            result = outcome(parse, output_cls)
            if result != expected:
                wrong[output_cls.__name__, text, name] = result
    assert not wrong


COMMENTS = ["I search.", "Is [it] {this}?", "```json\n{}\n```", ZOE, '{"name": 1}', ""]
ADA = '{"name": "Ada"}'


def response_of(texts: list[str]) -> dict[str, Any]:
    """Return a response of the Responses API with several messages, and a search between them."""
    output: list[dict[str, Any]] = []
    for text in texts:
        content = [{"type": "output_text", "text": text, "annotations": []}]
        output += [
            {"type": "message", "id": "m", "role": "assistant", "content": content},
            {"type": "web_search_call", "id": "w", "action": {"type": "search", "query": "q"}},
        ]
    return {"id": "r", "object": "response", "model": "m", "status": "completed", "output": output}


@pytest.mark.parametrize("text", [ADA, f"```json\n{ADA}\n```", f"Here it is: {ADA}"])
@pytest.mark.parametrize("comment", COMMENTS)
def test_the_last_message_has_the_object(comment: str, text: str) -> None:
    """Messages before it, and those after it that are not JSON, are comments."""
    for texts in ([comment, text], [comment, comment, text], [comment, text, "That is it."]):
        body = response_of(texts)
        transport = httpx.MockTransport(lambda _, body=body: httpx.Response(200, json=body))
        with httpx.Client(transport=transport) as client:
            connection: Any = {"api_token": "at_r" + "0" * 32, "http_client": client}
            chain = ChatXAILowCode(**connection).with_structured_output(Bike)
            llm = XAILowCode(**connection)
            for bike in (
                chain.invoke("Hello"),
                list(chain.stream("Hello"))[-1],
                llm.structured_predict(Bike, PROMPT),
                list(llm.stream_structured_predict(Bike, PROMPT))[-1],
            ):
                assert bike == Bike(name="Ada"), texts


@pytest.mark.parametrize("is_fenced", [False, True])
def test_partial_objects(gateway: Emulator, *, is_fenced: bool) -> None:
    """Streams yield partial objects, also of fenced JSON and root models; the last is complete."""
    name = "Zoe the Great of the High Hills"
    for output_cls, data, complete in [
        (Bike, {"name": name}, {**BIKE, "name": name}),
        (Numbers, {"value": [1, 2, 3, 4, 5, 6]}, [1, 2, 3, 4, 5, 6]),
    ]:
        text = json.dumps(data)
        for method, parse_all in streams(*models(gateway, "text")).items():
            gateway.reset()
            gateway.reply(f"Here it is:\n```json\n{text}\n```" if is_fenced else text)
            partial = parse_all(output_cls)
            assert len(partial) > 2, method
            assert json.loads(partial[-1].model_dump_json()) == complete, method
