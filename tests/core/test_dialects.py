"""Laws over all wire forms: one conversation, the same answer; plain and streamed are one."""

import base64
from dataclasses import replace
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import Emulator
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import (
    ImagePart,
    Message,
    ReasoningPart,
    ServerToolPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import APIS, ChatRequest, NamedTool, ToolSpec
from xai_lowcode.types.responses import ChatResponse

# Completions take one text, so they have laws of their own (test_completions).
FORMS = sorted(APIS - {"auto", "completions"})
INTEGER = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
ADD = ToolSpec("add", "Adds.", INTEGER)
MULTIPLY = ToolSpec("multiply", "Multiplies.", INTEGER)


def picture() -> str:
    """A small picture as a data URL."""
    buffer = BytesIO()
    Image.new("RGB", (8, 8), "teal").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def said(*parts: Any) -> Message:
    """What a user says."""
    return Message("user", tuple(TextPart(p) if isinstance(p, str) else p for p in parts))


CONVERSATIONS: dict[str, dict[str, Any]] = {
    "text": {"messages": (said("Hello"),)},
    "system": {"messages": (Message("system", (TextPart("Be kind."),)), said("Hello"))},
    "picture": {"messages": (said("What is this?", ImagePart(picture())),)},
    "call": {"messages": (said("Use add for 3."),), "tools": (ADD,)},
    "calls": {"messages": (said("add 2 and multiply 3"),), "tools": (ADD, MULTIPLY)},
    "forced": {"messages": (said("7"),), "tools": (ADD, MULTIPLY), "tool_choice": "required"},
    "named": {"messages": (said("7"),), "tools": (ADD,), "tool_choice": NamedTool("add")},
    "none": {"messages": (said("Use add for 3."),), "tools": (ADD,), "tool_choice": "none"},
    "cut": {"messages": (said("Hello"),), "max_tokens": 4},
    "stopped": {"messages": (said("Hello"),), "stop": ("wrote",)},
}
every_form = pytest.mark.parametrize("form", FORMS)
every_conversation = pytest.mark.parametrize("name", list(CONVERSATIONS))
every_model = pytest.mark.parametrize("model", ["grok-4.3", "grok-4.20-0309-non-reasoning"])


@pytest.fixture
def model_of(emulator: Emulator) -> ChatModel:
    """A model connected to the emulator."""
    reach = {"api_token": emulator.api_token, "base_url": emulator.base_url}
    return ChatModel(Settings.create(**reach))


def asked(name: str, form: str, model: str) -> ChatRequest:
    """A conversation in one wire form."""
    return ChatRequest(**{"model": model, **CONVERSATIONS[name]}, api=form)  # type: ignore[arg-type]  # a table


def facts(reply: ChatResponse) -> tuple[Any, ...]:
    """What must not depend on the form."""
    calls = [(call.name, call.arguments) for call in reply.tool_calls]
    return reply.text, calls, reply.finish_reason


def folded(model: ChatModel, request: ChatRequest) -> ChatResponse:
    """The reply that the stream folds into."""
    assembler = ResponseAccumulator()
    for event in model.stream(request):
        assembler.add(event)
    return assembler.build_response()


@every_model
@every_conversation
def test_all_forms_agree(model_of: ChatModel, name: str, model: str) -> None:
    """Text, calls and finish are the same in every form; so is what the answer cost in tokens."""
    replies = [model_of.generate(asked(name, form, model)) for form in FORMS]
    assert [reply.api for reply in replies] == FORMS
    assert len({repr(facts(reply)) for reply in replies}) == 1
    if name != "stopped":
        # Where the service cuts at a stop string itself, it writes less than where we do.
        assert len({reply.usage.output_tokens for reply in replies if reply.usage}) == 1
    assert all(
        reply.usage is not None
        and reply.usage.input_tokens + reply.usage.output_tokens == reply.usage.total_tokens
        for reply in replies
    )


@every_model
@every_form
@every_conversation
def test_plain_equals_folded_stream(model_of: ChatModel, name: str, form: str, model: str) -> None:
    """What a stream folds into is what the plain answer says."""
    request = asked(name, form, model)
    plain, streamed = model_of.generate(request), folded(model_of, request)
    assert facts(streamed) == facts(plain)
    assert (streamed.reasoning, streamed.model) == (plain.reasoning, plain.model)
    if name != "stopped":
        assert streamed.usage == plain.usage


@every_form
@pytest.mark.parametrize("name", ["call", "calls"])
def test_a_tool_round_in_every_form(
    model_of: ChatModel, emulator: Emulator, name: str, form: str
) -> None:
    """The answer goes back, with its results behind it, and is answered; nothing is refused."""
    request = asked(name, form, "grok-4.3")
    first = model_of.generate(request)
    results = [
        Message("tool", (ToolResultPart(call.id, (TextPart(f"result of {call.name}"),)),))
        for call in first.tool_calls
    ]
    messages = (*request.messages, first.choices[0].message, *results)
    second = model_of.generate(replace(request, messages=messages))
    assert all(f"result of {call.name}" in second.text for call in first.tool_calls)
    assert len(emulator.requests) == 2


@pytest.mark.parametrize("before", FORMS)
@every_form
def test_a_conversation_may_change_its_form(model_of: ChatModel, before: str, form: str) -> None:
    """What was answered in one form can be sent on in another: by its parts, not its items."""
    request = asked("call", before, "grok-4.3")
    first = model_of.generate(request)
    (call,) = first.tool_calls
    result = Message("tool", (ToolResultPart(call.id, (TextPart("5"),)),))
    messages = (*request.messages, first.choices[0].message, result)
    second = model_of.generate(replace(request, messages=messages, api=form))  # type: ignore[arg-type]  # a table
    assert "5" in second.text


@every_form
def test_an_answer_that_said_nothing_ends_no_conversation(model_of: ChatModel, form: str) -> None:
    """What was cut at once is left out of what is sent, since an empty message is refused."""
    request = replace(asked("text", form, "grok-4.3"), stop=("H",))
    empty = model_of.generate(request).choices[0].message
    assert not any(isinstance(part, TextPart) for part in empty.parts)
    messages = (*request.messages, empty, said("Once more?"))
    assert model_of.generate(replace(request, messages=messages, stop=())).text


@pytest.mark.parametrize("form", ["messages", "responses"])
@pytest.mark.parametrize("change", ["nothing", "spacing", "arguments", "text", "fewer calls"])
def test_a_changed_answer_goes_back_as_it_was_changed(
    model_of: ChatModel, emulator: Emulator, form: str, change: str
) -> None:
    """Items stand for an answer only while it says what they say; a correction is never undone."""
    request = asked("calls", form, "grok-4.3")
    answer = model_of.generate(request).choices[0].message
    one, other = (part for part in answer.parts if isinstance(part, ToolCallPart))
    changed: dict[str, tuple[Any, ...]] = {
        "nothing": (one, other),
        "spacing": (replace(one, arguments=one.arguments.replace(":", " : ")), other),
        "arguments": (replace(one, arguments='{"a": 77}'), other),
        "text": (TextPart("Let me see."), one, other),
        "fewer calls": (other,),
    }
    parts = changed[change]
    results = [
        Message("tool", (ToolResultPart(part.id, (TextPart("5"),)),))
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
    message = replace(answer, parts=parts)
    model_of.generate(replace(request, messages=(*request.messages, message, *results)))
    body = emulator.requests[1].body
    sent = str(body["input"] if form == "responses" else body["messages"])
    assert all(word in sent for word in {"arguments": ["77"], "text": ["Let me"]}.get(change, []))
    assert (one.id in sent) == (change != "fewer calls")
    verbatim = all(str(item) in sent for item in answer.items)
    assert verbatim == (change in {"nothing", "spacing"})


# What an answer may hold, and the words by which it is known on the wire.
ANSWERED: dict[str, Any] = {
    "the text": TextPart("the text"),
    "the thought": ReasoningPart("the thought"),
    "the_call": ToolCallPart("c", "the_call", '{"a": 1}'),
    "the search": ServerToolPart("web_search_call", "ws", arguments="the search"),
    "the picture": ImagePart("https://pictures/the picture"),
}
SENT = {
    "chat_completions": {"the text", "the thought", "the_call"},
    "messages": {"the text", "the_call"},
    "responses": {"the text", "the_call"},
}


@every_form
def test_what_another_form_said_goes_back_by_its_parts(
    model_of: ChatModel, emulator: Emulator, form: str
) -> None:
    """Items of another form stay behind; of the parts goes what the table of the forms says."""
    before = Message(
        "assistant", tuple(ANSWERED.values()), items=({"type": "secret"},), dialect="elsewhere"
    )
    result = Message("tool", (ToolResultPart("c", (TextPart("5"),)),))
    request = ChatRequest(
        model="grok-4.3",
        messages=(said("x"), before, result),
        api=form,  # type: ignore[arg-type]  # a table
    )
    with pytest.warns(UserWarning, match=r"messages\[1\]: images in assistant messages"):
        model_of.generate(request)
    wire = str(emulator.requests[0].body)
    assert {words for words in ANSWERED if words in wire} == SENT[form]
    assert "secret" not in wire
