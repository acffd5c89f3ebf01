"""Law: every recorded chat completion, in every envelope and cut, gives the facts of the index."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.parsing import QUESTION, cut_at, fold, read
from tests.recorded.replay import (
    Found,
    Replay,
    Ways,
    check,
    check_plain,
    check_stream,
    every_plain,
    every_plain_dress,
    every_stream,
    every_stream_dress,
    stream_dresses,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.settings import Settings
from xai_lowcode.types.events import StreamEvent
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

REQUEST = ChatRequest(model="grok-4.7", messages=(QUESTION,), api="chat_completions")
# Of larger streams not every byte comes alone.
LARGE = 20_000


def found_in(reply: ChatResponse) -> Found:
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


class Core(Ways):
    """The core's own model."""

    def __init__(self, model: ChatModel, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[ChatResponse]:
        """By ``generate`` and ``agenerate``."""
        return [self.model.generate(REQUEST), self.runner.run(self.model.agenerate(REQUEST))]

    def streamed(self) -> list[ChatResponse]:
        """By ``stream`` and ``astream``."""

        async def events() -> list[StreamEvent]:
            return [event async for event in self.model.astream(REQUEST)]

        return [fold(self.model.stream(REQUEST)), fold(self.runner.run(events()))]

    def found_in(self, answer: ChatResponse, case: Case) -> Found:  # noqa: ARG002 - others need the case
        """The facts of our reply."""
        return found_in(answer)


@pytest.fixture(scope="module")
def ways(replay: Replay) -> Iterator[Ways]:
    """A model behind the replaying server."""
    model = ChatModel(Settings.create(api_token=replay.api_token, base_url=replay.base_url))
    with asyncio.Runner() as runner:
        yield Core(model, runner)
    model.client.close()


@every_plain
@every_plain_dress
def test_plain_answers(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, whole or asked for as a stream, sync or async, has the facts of the index."""
    check_plain(ways, replay, case, dress)


@every_stream
@every_stream_dress
def test_streams(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream in any dress, cut where it hurts, sync or async, has the facts of the index."""
    check_stream(ways, replay, case, dress)


@every_stream
@every_stream_dress
def test_streams_without_io(case: Case, dress: str) -> None:
    """A stream in any dress is the same reply whole, in small pieces, and cut in two."""
    content, _ = stream_dresses()[dress](case.content)
    whole = read(case.form, [content])
    check(case, found_in(whole))
    size = 1 if len(content) <= LARGE else 61
    assert read(case.form, cut_at(content, range(size, len(content), size))) == whole
    for place in range(0, len(content), len(content) // 10):
        assert read(case.form, cut_at(content, [place])) == whole
