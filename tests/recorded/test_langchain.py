"""Law: ChatXAILowCode reads every recorded body to the facts of the index, in all four ways."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

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

pytest.importorskip("langchain_core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic import SecretStr

from langchain_xai_lowcode import ChatXAILowCode


def found_in(case: Case, message: AIMessage) -> Found:
    """The facts of a message."""
    used = message.usage_metadata
    assert message.invalid_tool_calls == []
    return Found(
        message.text,
        len(message.additional_kwargs.get("reasoning_content", "")),
        tuple(
            (call["name"], arguments_as_sent(case, call["name"], call["args"]))
            for call in message.tool_calls
        ),
        message.response_metadata["finish_reason"],
        used
        and (
            used["input_tokens"],
            used["output_tokens"],
            used["total_tokens"],
            used.get("output_token_details", {}).get("reasoning"),
            used.get("input_token_details", {}).get("cache_read"),
        ),
    )


class Ways:
    """A model, and the loop that its async ways run on."""

    def __init__(self, model: ChatXAILowCode, runner: asyncio.Runner) -> None:
        self.model = model
        self.runner = runner

    def whole(self) -> list[AIMessage]:
        """Asked for a whole answer, sync and async."""
        return [self.model.invoke("?"), self.runner.run(self.model.ainvoke("?"))]

    def streamed(self) -> list[AIMessage]:
        """Asked for a stream, sync and async; LangChain's own addition folds the chunks."""

        async def read() -> list[Any]:
            return [chunk async for chunk in self.model.astream("?")]

        return [self._sum(list(self.model.stream("?"))), self._sum(self.runner.run(read()))]

    @staticmethod
    def _sum(chunks: list[Any]) -> AIMessageChunk:
        whole = reduce(add, chunks)
        assert isinstance(whole, AIMessageChunk)
        return whole


@pytest.fixture(scope="module")
def ways(replay: Replay) -> Iterator[Ways]:
    """A model behind the replaying server."""
    with asyncio.Runner() as runner:
        model = ChatXAILowCode(
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
        for message in (*ways.whole(), *ways.streamed()):
            check(case, found_in(case, message))


@pytest.mark.parametrize("case", stream_cases(), ids=str)
@pytest.mark.parametrize("dress", stream_dresses())
def test_streams(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream, in any dress, cut where it hurts, has the facts of the index in both ways."""
    replay.hold(case, stream_dresses()[dress], CUTS["awkward"])
    for message in ways.streamed():
        check(case, found_in(case, message))
