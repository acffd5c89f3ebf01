"""Each recorded chat completion has the facts of the index, in every envelope and any chunks."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.parsing import QUESTION, cut_at, fold, read
from tests.recorded.replay import (
    Caller,
    Facts,
    Replay,
    check,
    check_plain,
    check_stream,
    every_plain,
    every_plain_envelope,
    every_stream,
    every_stream_envelope,
    stream_envelopes,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

REQUEST = ChatRequest(model="grok-4.7", messages=(QUESTION,), api="chat_completions")
# Larger streams are not split at every byte.
LARGE = 20_000


def facts_of(reply: ChatResponse) -> Facts:
    """Return the facts of a response."""
    used = reply.usage
    return Facts(
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


class Core(Caller):
    """The chat model of the core."""

    def __init__(self, model: ChatModel, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[ChatResponse]:
        """By ``generate`` and ``agenerate``."""
        return [self.model.generate(REQUEST), self.run(self.model.agenerate(REQUEST))]

    def streamed(self) -> list[ChatResponse]:
        """By ``stream`` and ``astream``."""

        async def events() -> list[StreamEvent]:
            return [event async for event in self.model.astream(REQUEST)]

        return [fold(self.model.stream(REQUEST)), fold(self.run(events()))]

    def facts_of(self, response: ChatResponse, case: Case) -> Facts:  # noqa: ARG002 - others need the case
        """Return the facts of a response."""
        return facts_of(response)


@pytest.fixture(scope="module")
def caller(replay: Replay) -> Iterator[Caller]:
    """A model with the replaying server."""
    model = ChatModel(Settings.create(api_token=replay.api_token, base_url=replay.base_url))
    with asyncio.Runner() as runner:
        yield Core(model, runner)
    model.client.close()


@every_plain
@every_plain_envelope
def test_plain_answers(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """A plain response has the facts of the index, also if a stream was requested."""
    check_plain(caller, replay, case, envelope)


@every_stream
@every_stream_envelope
def test_streams(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """A stream has the facts of the index in any envelope, split inside characters and lines."""
    check_stream(caller, replay, case, envelope)


@every_stream
@every_stream_envelope
def test_streams_without_io(case: Case, envelope: str) -> None:
    """A stream gives the same response whole, in small chunks and in two chunks."""
    content, _ = stream_envelopes()[envelope](case.content)
    whole = read(case.api, [content])
    check(case, facts_of(whole))
    size = 1 if len(content) <= LARGE else 61
    assert read(case.api, cut_at(content, range(size, len(content), size))) == whole
    for place in range(0, len(content), len(content) // 10):
        assert read(case.api, cut_at(content, [place])) == whole
