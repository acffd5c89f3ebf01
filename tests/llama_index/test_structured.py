"""Structured output: all program modes, streamed or not, and errors."""

import asyncio
import enum
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.program import LLMTextCompletionProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, create_model

from llama_index_xai_lowcode import StructuredOutputError, XAILowCode
from llama_index_xai_lowcode._structured_output import JSON_SCHEMA, PartialObjectParser
from tests.llama_index.sent import APIS, get_kinds, get_schema
from xai_lowcode.errors import InvalidResponseError


class Color(enum.Enum):
    """Colours."""

    RED = "red"
    BLUE = "blue"


class Wheel(BaseModel):
    """A wheel."""

    size: int
    spokes: int | None = None


class Bike(BaseModel):
    """A bike."""

    name: str
    color: Color
    wheels: list[Wheel]
    note: str | None = None


class Node(BaseModel):
    """A node, which contains others."""

    value: int
    children: list["Node"] = []


class Maybe(BaseModel):
    """A class whose fields are all optional."""

    name: str | None = None


Generic = create_model("Box[int]", value=(int, ...))
PROMPT = PromptTemplate("Make a blue bike named '{name}', with wheels of 28")
MODES = {
    "schema": {},
    "tool": {"should_use_structured_outputs": False},
    "function": {"pydantic_program_mode": PydanticProgramMode.FUNCTION},
}


@pytest.fixture(params=MODES)
def structured_llm(request: pytest.FixtureRequest, model: Any) -> XAILowCode:
    """Return a model for each program mode."""
    llm: XAILowCode = model(**MODES[request.param])
    return llm


def check_bike(bike: Any) -> None:
    assert isinstance(bike, Bike)
    assert (bike.name, bike.color) == ("Zoe", Color.BLUE)
    assert bike.wheels[0].size == 28


def test_plain(sync_async: Any, structured_llm: XAILowCode) -> None:
    """A nested object with an enum and optional fields is returned."""
    check_bike(sync_async.call(structured_llm, "structured_predict", Bike, PROMPT, name="Zoe"))


def test_streamed(sync_async: Any, structured_llm: XAILowCode) -> None:
    """Partial objects grow; the complete object is last and occurs once."""
    drafts = sync_async.stream(
        structured_llm, "stream_structured_predict", Bike, PROMPT, name="Zoe"
    )
    check_bike(drafts[-1])
    assert drafts.count(drafts[-1]) == 1


def test_partial_objects_grow(sync_async: Any, llm: XAILowCode) -> None:
    """With a JSON schema, partial objects contain incomplete strings."""
    drafts = sync_async.stream(llm, "stream_structured_predict", Bike, PROMPT, name="Zoe the Great")
    names = [draft.name for draft in drafts]
    assert any(0 < len(name) < len("Zoe the Great") for name in names)
    assert not isinstance(drafts[0], Bike)


@pytest.mark.parametrize(("output_cls", "field"), [(Node, "value"), (Generic, "value")])
def test_recursive_and_generic_classes(
    sync_async: Any, structured_llm: XAILowCode, output_cls: Any, field: str
) -> None:
    """Recursive classes, and class names that xAI does not accept, are supported."""
    prompt = PromptTemplate("A thing of 5")
    assert (
        getattr(sync_async.call(structured_llm, "structured_predict", output_cls, prompt), field)
        == 5
    )
    drafts = sync_async.stream(structured_llm, "stream_structured_predict", output_cls, prompt)
    assert getattr(drafts[-1], field) == 5


def test_as_structured_llm(sync_async: Any, structured_llm: XAILowCode) -> None:
    """A structured LLM chats, completes and streams."""
    structured = structured_llm.as_structured_llm(Bike)
    question = "A blue bike named 'Zoe' with wheels of 28"
    check_bike(sync_async.call(structured, "chat", [ChatMessage(question)]).raw)
    check_bike(Bike.model_validate_json(sync_async.call(structured, "complete", question).text))


@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_structured_llm_streams(sync_async: Any, structured_llm: XAILowCode) -> None:
    """A structured LLM streams objects."""
    structured = structured_llm.as_structured_llm(Bike)
    question = [ChatMessage("A blue bike named 'Zoe' with wheels of 28")]
    check_bike(sync_async.stream(structured, "stream_chat", question)[-1].raw)


@pytest.mark.parametrize("api", ["auto", "chat_completions"])
def test_by_schema(sync_async: Any, gateway: Any, model: Any, api: str) -> None:
    """By default the schema is sent with a valid name, without tools."""
    sync_async.call(model(api=api), "structured_predict", Generic, PROMPT, name="3")
    body = gateway.requests[-1].body
    schema = get_schema(body)
    assert schema is not None
    assert schema["name"] == "Box_int_"
    assert not {"tools", "tool_choice"} & body.keys()


def test_the_tool_is_forced_in_streams(sync_async: Any, gateway: Any, model: Any) -> None:
    """In function mode the tool call is forced, in streams too."""
    llm = model(**MODES["function"])
    sync_async.stream(llm, "stream_structured_predict", Bike, PROMPT, name="Zoe")
    assert gateway.requests[-1].body["tool_choice"] == "required"
    assert gateway.requests[-1].body["stream"] is True


def test_llm_kwargs(sync_async: Any, gateway: Any, structured_llm: XAILowCode) -> None:
    """``llm_kwargs`` are sent, except conflicting options, and are not changed."""
    other = {"type": "function", "function": {"name": "other", "parameters": {"type": "object"}}}
    options = {"temperature": 0.5, "tool_choice": "none", "tools": [other]}
    before = dict(options)
    sync_async.call(
        structured_llm, "structured_predict", Bike, PROMPT, llm_kwargs=options, name="Zoe"
    )
    assert gateway.requests[-1].body["temperature"] == 0.5
    assert gateway.requests[-1].body.get("tool_choice") != "none"
    assert "other" not in str(gateway.requests[-1].body)
    assert options == before


@pytest.mark.parametrize("api", APIS)
def test_the_system_prompt_is_sent_once(
    sync_async: Any, gateway: Any, model: Any, api: str
) -> None:
    """The system prompt is the first message in every mode, sync and async."""
    for mode in MODES.values():
        llm = model(system_prompt="Be brief.", api=api, **mode)
        sync_async.call(llm, "structured_predict", Bike, PROMPT, name="Zoe")
        sync_async.stream(llm, "stream_structured_predict", Bike, PROMPT, name="Zoe")
    for request in gateway.requests:
        assert get_kinds(request.body) == ["system", "user"]


def test_mode_llm(sync_async: Any, gateway: Any, model: Any) -> None:
    """LlamaIndex's text completion program sends no tool or response format."""
    llm = model(pydantic_program_mode=PydanticProgramMode.LLM)
    prompt = PromptTemplate("Say exactly '{\"value\": {value}}'")
    assert sync_async.call(llm, "structured_predict", Node, prompt, value=3) == Node(value=3)
    body = gateway.requests[-1].body
    assert not {"tools", "tool_choice", "response_format", "text"} & body.keys()


@pytest.mark.skipif(
    "stream_call" not in vars(LLMTextCompletionProgram),
    reason="older versions of LlamaIndex do not stream in this mode",
)
def test_mode_llm_streams(sync_async: Any, model: Any) -> None:
    """LlamaIndex's text completion program streams."""
    llm = model(pydantic_program_mode=PydanticProgramMode.LLM)
    prompt = PromptTemplate("Say exactly '{\"value\": {value}}'")
    assert sync_async.stream(llm, "stream_structured_predict", Node, prompt, value=4)[-1].value == 4


def test_a_model_without_tools(sync_async: Any, gateway: Any, model: Any) -> None:
    """Without tool calling, the JSON schema or LlamaIndex's prompt is used."""
    llm = model(is_function_calling_model=False)
    check_bike(sync_async.call(llm, "structured_predict", Bike, PROMPT, name="Zoe"))
    llm.should_use_structured_outputs = False
    prompt = PromptTemplate("Say exactly '{\"value\": 3}'")
    assert sync_async.call(llm, "structured_predict", Node, prompt) == Node(value=3)
    assert "tools" not in gateway.requests[-1].body


@pytest.mark.parametrize("method", ["structured_predict", "stream_structured_predict"])
@pytest.mark.parametrize(
    ("output_cls", "options", "reason"),
    [(Bike, {"max_tokens": 3}, "truncated"), (Maybe, {"max_tokens": 1}, "truncated")],
)
def test_truncated_responses(
    model: Any, method: str, output_cls: Any, options: Any, reason: str
) -> None:
    """A truncated response raises an error; no empty object is returned."""
    llm = model(**options)
    with pytest.raises(StructuredOutputError, match=reason) as caught:
        list(getattr(llm, method)(output_cls, PROMPT, name="Zoe"))
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, InvalidResponseError)


def test_an_invalid_object_is_an_error(sync_async: Any, model: Any, monkeypatch: Any) -> None:
    """A response that does not match the class raises an error."""
    llm = model()
    monkeypatch.setattr(
        "llama_index_xai_lowcode._structured_output.JSON_SCHEMA",
        JSON_SCHEMA._replace(build_arguments=lambda *args: {"messages": args[2]}),
    )
    prompt = PromptTemplate("Hello {name}")
    with pytest.raises(StructuredOutputError, match="not a valid Bike"):
        sync_async.call(llm, "structured_predict", Bike, prompt, name="Zoe")
    with pytest.raises(StructuredOutputError, match="not a valid Bike"):
        sync_async.stream(llm, "stream_structured_predict", Bike, prompt, name="Zoe")


@pytest.mark.parametrize(
    ("more", "options", "reason"),
    [
        ({"refusal": "I will not."}, {}, "refused: I will not"),
        ({}, {}, "contains no JSON"),
        ({}, {"finish_reason": "length"}, "truncated"),
    ],
)
def test_the_error_has_the_reason(more: Any, options: Any, reason: str) -> None:
    """The error reports a refusal, a missing JSON or a truncation."""
    message = ChatMessage("", role="assistant", additional_kwargs=more)
    parser = PartialObjectParser(Bike, JSON_SCHEMA)
    assert parser.parse(ChatResponse(message=message, additional_kwargs=options)) is None
    with pytest.raises(StructuredOutputError, match=reason):
        parser.parse_final()


def test_an_empty_stream_is_an_error() -> None:
    """A stream without a response raises an error."""
    with pytest.raises(StructuredOutputError, match="no response"):
        PartialObjectParser(Bike, JSON_SCHEMA).parse_final()


def test_response_format_of_a_chat(sync_async: Any, llm: XAILowCode) -> None:
    """``chat`` accepts a class or OpenAI's formats as response_format."""
    question = [ChatMessage("A blue bike named 'Zoe' with wheels of 28")]
    answer = sync_async.call(llm, "chat", question, response_format=Bike).message.content
    check_bike(Bike.model_validate_json(answer))
    answer = sync_async.call(llm, "chat", question, response_format={"type": "json_object"})
    assert answer.message.content.startswith("{")
    answer = sync_async.call(llm, "chat", question, response_format={"type": "text"})
    assert answer.message.content.startswith("Hello")


def test_concurrent_calls(llm: XAILowCode) -> None:
    """Concurrent calls return their own objects."""

    async def call() -> list[Bike]:
        calls = (llm.astructured_predict(Bike, PROMPT, name=f"B{i}x") for i in range(10))
        return await asyncio.gather(*calls)

    assert [bike.name for bike in asyncio.run(call())] == [f"B{i}x" for i in range(10)]


# --- every API -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [PydanticProgramMode.DEFAULT, PydanticProgramMode.FUNCTION])
@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_objects_with_each_api(
    sync_async: Any, gateway: Any, model: Any, api: str, mode: PydanticProgramMode
) -> None:
    """Every API returns the object, streamed or not; Messages by a forced tool call."""
    llm = model(api=api, pydantic_program_mode=mode)
    check_bike(sync_async.call(llm, "structured_predict", Bike, PROMPT, name="Zoe"))
    check_bike(sync_async.stream(llm, "stream_structured_predict", Bike, PROMPT, name="Zoe")[-1])
    structured = llm.as_structured_llm(Bike)
    check_bike(sync_async.call(structured, "chat", PROMPT.format_messages(name="Zoe")).raw)
    by_tool = mode is PydanticProgramMode.FUNCTION or api == "messages"
    assert ["tools" in request.body for request in gateway.requests] == [by_tool] * 3


def test_the_api_is_an_option_of_a_call(sync_async: Any, gateway: Any, model: Any) -> None:
    """The option ``api`` of a call determines how its object is requested."""
    llm = model(additional_kwargs={"api": "responses"})
    check_bike(
        sync_async.call(
            llm, "structured_predict", Bike, PROMPT, llm_kwargs={"api": "messages"}, name="Zoe"
        )
    )
    assert gateway.requests[-1].path.endswith("/v1/messages")
