"""Each recorded chat has the facts of the index in all four methods of `ChatXAILowCode`."""

import asyncio
from collections.abc import Iterator
from functools import reduce
from operator import add
from typing import Any

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.replay import (
    Caller,
    Facts,
    Replay,
    arguments_as_sent,
    check_plain,
    check_stream,
    every_plain,
    every_plain_envelope,
    every_stream_in_turn,
)

pytest.importorskip("langchain_core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage
from pydantic import SecretStr

from langchain_xai_lowcode import ChatXAILowCode


class LangChain(Caller):
    """The chat model of LangChain."""

    def __init__(self, model: ChatXAILowCode, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[AIMessage]:
        """By ``invoke`` and ``ainvoke``."""
        return [self.model.invoke("?"), self.run(self.model.ainvoke("?"))]

    def streamed(self) -> list[AIMessage]:
        """By ``stream`` and ``astream``; LangChain adds the chunks up."""

        async def read() -> list[Any]:
            return [chunk async for chunk in self.model.astream("?")]

        streams = (list(self.model.stream("?")), self.run(read()))
        return [reduce(add, chunks) for chunks in streams]

    def facts_of(self, response: AIMessage, case: Case) -> Facts:
        """Return the facts of a message."""
        used = response.usage_metadata
        assert response.invalid_tool_calls == []
        return Facts(
            response.text,
            len(response.additional_kwargs.get("reasoning_content", "")),
            tuple(
                (call["name"], arguments_as_sent(case, call["name"], call["args"]))
                for call in response.tool_calls
            ),
            response.response_metadata["finish_reason"],
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
def caller(replay: Replay) -> Iterator[Caller]:
    """A model with the replaying server."""
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
@every_plain_envelope
def test_plain_answers(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """A plain response has the facts of the index, in any envelope and chunks."""
    check_plain(caller, replay, case, envelope)


@every_stream_in_turn
def test_streams(caller: Caller, replay: Replay, case: Case, envelope: str) -> None:
    """A stream has the facts of the index in any envelope, split inside characters and lines."""
    check_stream(caller, replay, case, envelope)
