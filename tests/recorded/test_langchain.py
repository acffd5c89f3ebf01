"""Law: ChatXAILowCode reads every recorded body to the facts of the index, in all four ways."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.replay import (
    Found,
    Replay,
    Ways,
    arguments_as_sent,
    check_plain,
    check_stream,
    every_plain,
    every_plain_dress,
    every_stream_in_turn,
)

pytest.importorskip("langchain_core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage
from pydantic import SecretStr

from langchain_xai_lowcode import ChatXAILowCode


class LangChain(Ways):
    """The chat model of LangChain."""

    def __init__(self, model: ChatXAILowCode, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[AIMessage]:
        """By ``invoke`` and ``ainvoke``."""
        return [self.model.invoke("?"), self.runner.run(self.model.ainvoke("?"))]

    def streamed(self) -> list[AIMessage]:
        """By ``stream`` and ``astream``; LangChain's own addition folds the chunks."""

        async def read() -> list[Any]:
            return [chunk async for chunk in self.model.astream("?")]

        streams = (list(self.model.stream("?")), self.runner.run(read()))
        return [reduce(add, chunks) for chunks in streams]

    def found_in(self, answer: AIMessage, case: Case) -> Found:
        """The facts of a answer."""
        used = answer.usage_metadata
        assert answer.invalid_tool_calls == []
        return Found(
            answer.text,
            len(answer.additional_kwargs.get("reasoning_content", "")),
            tuple(
                (call["name"], arguments_as_sent(case, call["name"], call["args"]))
                for call in answer.tool_calls
            ),
            answer.response_metadata["finish_reason"],
            used
            and (
                used["input_tokens"],
                used["output_tokens"],
                used["total_tokens"],
                used.get("output_token_details", {}).get("reasoning"),
                used.get("input_token_details", {}).get("cache_read"),
            ),
        )


@pytest.fixture(scope="module")
def ways(replay: Replay) -> Iterator[Ways]:
    """A model behind the replaying server."""
    with asyncio.Runner() as runner:
        model = ChatXAILowCode(
            model="grok-4.7",
            api="chat_completions",
            api_token=SecretStr(replay.api_token),
            base_url=replay.base_url,
        )
        yield LangChain(model, runner)
        model.close()


@every_plain
@every_plain_dress
def test_plain_answers(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, in any envelope and pieces, has the facts of the index in all four ways."""
    check_plain(ways, replay, case, dress)


@every_stream_in_turn
def test_streams(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream, in any dress, cut where it hurts, has the facts of the index in both ways."""
    check_stream(ways, replay, case, dress)
