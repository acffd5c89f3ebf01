"""Law: every recorded chat completion, in every envelope and cut, gives the facts of the index."""

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from tests.recorded.replay import (
    CUTS,
    SMALL,
    Case,
    Found,
    Replay,
    cases,
    check,
    plain_cases,
    plain_dresses,
    stream_cases,
    stream_dresses,
)
from xai_lowcode.conversation import ChatRequest, Message, TextPart
from xai_lowcode.dialects.chat_completions import ChatCompletions
from xai_lowcode.errors import StreamInterruptedError, UnreadableAnswerError
from xai_lowcode.events import Assembler, StreamEvent
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.reply import Reply
from xai_lowcode.settings import Settings
from xai_lowcode.streams import StreamReader

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

REQUEST = ChatRequest(model="grok-4.7", messages=(Message("user", (TextPart("?"),)),))
every_plain = pytest.mark.parametrize("case", plain_cases(), ids=str)
every_stream = pytest.mark.parametrize("case", stream_cases(), ids=str)


def found_in(reply: Reply) -> Found:
    """The facts of our reply."""
    used = reply.usage
    return Found(
        reply.text,
        len(reply.reasoning),
        tuple((call.name, call.arguments) for call in reply.tool_calls),
        reply.finish_reason,
        None
        if used is None
        else (
            used.input_tokens,
            used.output_tokens,
            used.total_tokens,
            used.reasoning_tokens,
            used.cached_input_tokens,
        ),
    )


def fold(events: list[StreamEvent]) -> Reply:
    assembler = Assembler()
    for event in events:
        assembler.add(event)
    return assembler.reply()


def read(pieces: list[bytes]) -> Reply:
    """Without any IO."""
    reader = StreamReader(ChatCompletions())
    events = [event for piece in pieces for event in reader.feed(piece)]
    return fold([*events, *reader.close()])


@pytest.fixture(scope="module")
def model(replay: Replay) -> Iterator[GatewayModel]:
    """A model behind the replaying server."""
    made = GatewayModel(Settings.create(api_token=replay.api_token, base_url=replay.base_url))
    with asyncio.Runner() as runner:
        made.runner = runner  # type: ignore[attr-defined]
        yield made
    made.client.close()


def run(model: Any, awaitable: Any) -> Any:
    return model.runner.run(awaitable)


async def events_of(model: GatewayModel) -> list[StreamEvent]:
    return [event async for event in model.astream(REQUEST)]


@every_plain
@pytest.mark.parametrize("dress", plain_dresses())
def test_plain_answers(model: GatewayModel, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, whole or asked for as a stream, sync or async, has the facts of the index."""
    for cut in CUTS.values():
        replay.hold(case, plain_dresses()[dress], cut)
        check(case, found_in(model.generate(REQUEST)))
        check(case, found_in(run(model, model.agenerate(REQUEST))))
        check(case, found_in(fold(list(model.stream(REQUEST)))))
        check(case, found_in(fold(run(model, events_of(model)))))


@every_stream
@pytest.mark.parametrize("dress", stream_dresses())
def test_streams(model: GatewayModel, replay: Replay, case: Case, dress: str) -> None:
    """A stream in any dress and any pieces, sync or async, has the facts of the index."""
    for cut in CUTS.values():
        replay.hold(case, stream_dresses()[dress], cut)
        check(case, found_in(fold(list(model.stream(REQUEST)))))
        check(case, found_in(fold(run(model, events_of(model)))))


@every_stream
@pytest.mark.parametrize("dress", stream_dresses())
def test_streams_without_io(case: Case, dress: str) -> None:
    """Byte by byte, and cut in two at every byte of a small body, a stream is the same reply."""
    content, _ = stream_dresses()[dress](case.content)
    whole = read([content])
    check(case, found_in(whole))
    assert read([content[i : i + 1] for i in range(len(content))]) == whole
    step = 1 if len(content) <= SMALL else len(content) // 40
    for place in range(0, len(content), step):
        assert read([content[:place], content[place:]]) == whole


@every_stream
def test_a_recorded_stream_cut_before_its_finish_raises(case: Case) -> None:
    """Wherever a recorded stream is cut before its finish, it is not passed off as whole."""
    finish = case.content.index(b'"finish_reason":"')
    step = 1 if finish <= SMALL else finish // 300
    places = [*range(0, finish, step), finish]
    for before, end in pairwise(places):
        with pytest.raises(UnreadableAnswerError) as raised:
            read([case.content[:before], case.content[before:end]])
        begun = case.content.find(b"\n\n") < end - 8
        assert isinstance(raised.value, StreamInterruptedError) or not begun


@every_plain
def test_a_recorded_reply_can_be_sent_back(case: Case) -> None:
    """The reply as a turn of the next request repeats what the service said."""
    reply = ChatCompletions().parse(json_of(case))
    messages = (*REQUEST.messages, reply.choices[0].message)
    body = ChatCompletions().render(ChatRequest(model="m", messages=messages), stream=False)
    said = json_of(case)["choices"][0]["message"]
    assert body["messages"][1]["content"] == (said["content"] or "")
    assert body["messages"][1].get("reasoning_content") == said.get("reasoning_content")
    sent = [(call["id"], call["function"]) for call in body["messages"][1].get("tool_calls", [])]
    assert sent == [(call["id"], call["function"]) for call in said.get("tool_calls") or []]


def json_of(case: Case) -> Any:
    return json.loads(case.content)
