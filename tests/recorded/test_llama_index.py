"""Law: XAILowCode reads every recorded body to the facts of the index, in all four ways."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.recorded.replay import (
    CUTS,
    Case,
    Found,
    Replay,
    arguments_as_sent,
    cases,
    check,
    plain_cases,
    plain_dresses,
    stream_cases,
    stream_dresses,
)

pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock
from pydantic import SecretStr

from llama_index_xai_lowcode import XAILowCode

QUESTION = [ChatMessage(role="user", content="?")]


def found_in(llm: XAILowCode, case: Case, response: ChatResponse) -> Found:
    """The facts of a response."""
    message, counts = response.message, response.additional_kwargs
    thoughts = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
    calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return Found(
        message.content or "",
        sum(len(block.content or "") for block in thoughts),
        tuple(
            (call.tool_name, arguments_as_sent(case, call.tool_name, call.tool_kwargs))
            for call in calls
        ),
        counts["finish_reason"],
        (
            counts["prompt_tokens"],
            counts["completion_tokens"],
            counts["total_tokens"],
            counts.get("reasoning_tokens"),
            counts.get("cached_tokens"),
        )
        if "total_tokens" in counts
        else None,
    )


class Ways:
    """A model, and the loop that its async ways run on."""

    def __init__(self, model: XAILowCode, runner: asyncio.Runner) -> None:
        self.model = model
        self.runner = runner

    def whole(self) -> list[ChatResponse]:
        """Asked for a whole answer, sync and async."""
        return [self.model.chat(QUESTION), self.runner.run(self.model.achat(QUESTION))]

    def streamed(self) -> list[ChatResponse]:
        """Asked for a stream, sync and async: the last response, with all deltas as its text."""

        async def read() -> list[ChatResponse]:
            return [response async for response in await self.model.astream_chat(QUESTION)]

        streams = [list(self.model.stream_chat(QUESTION)), self.runner.run(read())]
        for responses in streams:
            deltas = "".join(response.delta or "" for response in responses)
            assert deltas == (responses[-1].message.content or "")
        return [responses[-1] for responses in streams]


@pytest.fixture(scope="module")
def ways(replay: Replay) -> Iterator[Ways]:
    """A model behind the replaying server."""
    with asyncio.Runner() as runner:
        model = XAILowCode(
            model="grok-4.7", api_token=SecretStr(replay.api_token), base_url=replay.base_url
        )
        yield Ways(model, runner)
        model.close()


@pytest.mark.parametrize("case", plain_cases(), ids=str)
@pytest.mark.parametrize("dress", plain_dresses())
def test_plain_answers(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, in any envelope and pieces, has the facts of the index in all four ways."""
    for cut in ("whole", "awkward"):
        replay.hold(case, plain_dresses()[dress], CUTS[cut])
        for response in (*ways.whole(), *ways.streamed()):
            check(case, found_in(ways.model, case, response))


@pytest.mark.parametrize("case", stream_cases(), ids=str)
@pytest.mark.parametrize("dress", stream_dresses())
def test_streams(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream, in any dress, cut where it hurts, has the facts of the index in both ways."""
    replay.hold(case, stream_dresses()[dress], CUTS["awkward"])
    for response in ways.streamed():
        check(case, found_in(ways.model, case, response))
