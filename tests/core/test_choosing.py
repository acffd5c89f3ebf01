"""Laws of what a model does by itself: the wire form it chooses, the refusals it learns."""

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.core import twins
from tests.core.loopback import TOKEN, Loopback, json_reply, sse_reply
from tests.core.test_streams import FORMS, PLAIN, REPLY
from tests.core.wire import refused
from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.emulator import running
from xai_lowcode.errors import BadRequestError, UsageError
from xai_lowcode.settings import Settings
from xai_lowcode.types.messages import FilePart, Message, TextPart, ToolCallPart, ToolResultPart
from xai_lowcode.types.requests import ChatRequest, ServerTool

MODEL = "grok-4.20-0309-non-reasoning"
HELLO = Message("user", (TextPart("Hello"),))
TEXT_FILE = FilePart(data="SGk=", mime_type="text/plain", filename="a.txt")
CALL = Message("assistant", (ToolCallPart("c", "read", "{}"),))
ANSWERED = Message("assistant", (TextPart("x"),), items=({"type": "message"},), dialect="responses")


@pytest.fixture
def model(gateway: Loopback) -> Iterator[ChatModel]:
    """A model behind the loopback server."""
    made = ChatModel(Settings.create(api_token=TOKEN, base_url=gateway.base_url, max_retries=0))
    yield made
    made.client.close()


CHOICES: list[tuple[dict[str, Any], str]] = [
    ({}, "chat/completions"),
    ({"api": "messages"}, "messages"),
    ({"api": "responses"}, "responses"),
    ({"api": "chat_completions"}, "chat/completions"),
    ({"server_tools": (ServerTool("web_search"),)}, "responses"),
    ({"store": False}, "responses"),
    ({"include": ("reasoning.encrypted_content",)}, "responses"),
    ({"previous_response_id": "r"}, "responses"),
    ({"reasoning_summary": "auto"}, "responses"),
    ({"max_turns": 2}, "responses"),
    ({"model": "grok-4.20-multi-agent-0309"}, "responses"),
    ({"messages": (Message("user", (TEXT_FILE,)),)}, "responses"),
    ({"messages": (CALL, Message("tool", (ToolResultPart("c", (TEXT_FILE,)),)))}, "responses"),
    ({"messages": (HELLO, ANSWERED, HELLO)}, "responses"),
    ({"messages": (HELLO, ANSWERED, HELLO), "n": 2}, "chat/completions"),
    ({"messages": (HELLO, ANSWERED, HELLO), "api": "messages"}, "messages"),
    (
        {"messages": (Message("user", (FilePart(url="https://a/b.pdf"),)),)},
        "chat/completions",
    ),
]


@pytest.mark.parametrize(("options", "path"), CHOICES)
def test_the_form_is_chosen_by_what_is_asked(
    gateway: Loopback, model: ChatModel, options: dict[str, Any], path: str
) -> None:
    """The form asked for is used; left open, chat completions are, unless they lose something."""
    gateway.play = lambda _request: json_reply(refused({"error": "seen"}), 400)
    request = ChatRequest(**{"model": "grok-4.7", "messages": (HELLO,), **options})
    with pytest.raises(BadRequestError, match="seen"):
        twins.generate(model, request)
    with pytest.raises(BadRequestError, match="seen"):
        twins.stream(model, request)
    assert {request.target.partition("?")[0] for request in gateway.requests} == {f"/xai/v1/{path}"}


@pytest.mark.parametrize("api", ["chat_completions", "messages"])
def test_a_form_that_was_asked_for_is_not_left_silently(model: ChatModel, api: Any) -> None:
    """What it cannot carry is refused, naming the field and the way out."""
    request = ChatRequest(model="grok-4.7", messages=(HELLO,), api=api, store=True)
    for ask in (model.generate, model.stream):
        with pytest.raises(UsageError, match="responses") as refusal:
            ask(request)
        assert refusal.value.field == "store"


# Option, value, xAI's name for it, and what stands in the body.
LEARNED: list[tuple[str, Any, str, str]] = [
    ("stop", ["zzz"], "stop", "stop"),
    ("temperature", 0.5, "temperature", "temperature"),
    ("max_tokens", 9, "maxCompletionTokens", "max_completion_tokens"),
    ("logprobs", True, "logprobs", "logprobs"),
    ("user", "u", "user", "user"),
]


@pytest.mark.parametrize(("option", "value", "said", "sent"), LEARNED)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_refusal_is_learned(
    gateway: Loopback,
    model: ChatModel,
    option: str,
    value: Any,
    said: str,
    sent: str,
    streamed: bool,
) -> None:
    """What a model says it does not take is left out at once, and from then on."""
    sentence = f"Argument not supported on this model: {said}"

    def play(request: Any) -> Any:
        if sent in request.json:
            return json_reply(refused({"code": "invalid-argument", "error": sentence}), 400)
        return sse_reply(FORMS["live"]) if streamed else json_reply(PLAIN)

    gateway.play = play
    request = ChatRequest(model=MODEL, messages=(HELLO,), **{option: value})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            replies = twins.stream(model, request) if streamed else twins.generate(model, request)
            assert [_whole(reply) for reply in replies] == [REPLY, REPLY]
    assert [sent in each.json for each in gateway.requests] == [True, *[False] * 4]
    # Stop strings need no word: they are enforced here.
    assert [f"{option}: not supported by" in str(word.message) for word in told] == [True] * (
        option != "stop"
    )


def test_what_was_learned_holds_for_that_model_alone(gateway: Loopback, model: ChatModel) -> None:
    """Another model is asked with everything, and another client knows nothing of it."""
    sentence = "Argument not supported on this model: temperature"

    def play(request: Any) -> Any:
        bad = request.json["model"] == "a" and "temperature" in request.json
        return json_reply(refused({"error": sentence}), 400) if bad else json_reply(PLAIN)

    gateway.play = play
    with pytest.warns(UserWarning, match="temperature: not supported by a;"):
        model.generate(ChatRequest(model="a", messages=(HELLO,), temperature=1))
    model.generate(ChatRequest(model="b", messages=(HELLO,), temperature=1))
    assert ["temperature" in sent.json for sent in gateway.requests] == [True, False, True]


@pytest.mark.parametrize(
    "sentence",
    [
        "Argument not supported on this model: responseFormat",
        "Argument not supported on this model: seed",
        "Invalid arguments passed to the model.",
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_other_refusals_are_errors_at_once(
    gateway: Loopback, model: ChatModel, sentence: str, streamed: bool
) -> None:
    """What was not asked for, or cannot be left out, is not asked for a second time."""
    gateway.play = lambda _request: json_reply(refused({"error": sentence}), 400)
    request = ChatRequest(model=MODEL, messages=(HELLO,), temperature=0.5)
    with pytest.raises(BadRequestError, match=sentence):
        twins.stream(model, request) if streamed else twins.generate(model, request)
    assert len(gateway.requests) in {1, 2}
    assert len({json.dumps(sent.json) for sent in gateway.requests}) == 1


def test_a_model_that_goes_on_refusing_is_believed_once(
    gateway: Loopback, model: ChatModel
) -> None:
    """An answer that names an option which was not sent ends in the error, not in a circle."""
    sentence = "Argument not supported on this model: temperature"
    gateway.play = lambda _request: json_reply(refused({"error": sentence}), 400)
    request = ChatRequest(model=MODEL, messages=(HELLO,), temperature=0.5)
    with pytest.raises(BadRequestError), pytest.warns(UserWarning, match="not supported by"):
        model.generate(request)
    assert ["temperature" in sent.json for sent in gateway.requests] == [True, False]


def test_the_model_of_several_agents_answers() -> None:
    """It has one form and refuses a limit of tokens, which needs no knowledge of the caller's."""
    with running() as gateway:
        reach = {"api_token": gateway.api_token, "base_url": gateway.base_url}
        model = ChatModel(Settings.create(**reach))
        name = "grok-4.20-multi-agent-0309"
        with pytest.warns(UserWarning, match="max_tokens"):
            reply = model.generate(ChatRequest(model=name, messages=(HELLO,), max_tokens=50))
    assert (reply.api, bool(reply.text)) == ("responses", True)


def _whole(reply: Any) -> Any:
    if not isinstance(reply, list):
        return reply
    assembler = ResponseAccumulator()
    for event in reply:
        assembler.add(event)
    return assembler.reply()
