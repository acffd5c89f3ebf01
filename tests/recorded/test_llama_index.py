"""Each recorded chat has the facts of the index in all four methods of `XAILowCode`."""

import asyncio
from collections.abc import Iterator

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

pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock
from pydantic import SecretStr

from llama_index_xai_lowcode import XAILowCode

QUESTION = [ChatMessage(role="user", content="?")]


class LlamaIndex(Caller):
    """The LLM of LlamaIndex."""

    def __init__(self, model: XAILowCode, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[ChatResponse]:
        """By ``chat`` and ``achat``."""
        return [self.model.chat(QUESTION), self.run(self.model.achat(QUESTION))]

    def streamed(self) -> list[ChatResponse]:
        """By ``stream_chat`` and ``astream_chat``: the last response, with all deltas as text."""

        async def read() -> list[ChatResponse]:
            return [response async for response in await self.model.astream_chat(QUESTION)]

        streams = (list(self.model.stream_chat(QUESTION)), self.run(read()))
        for responses in streams:
            deltas = "".join(response.delta or "" for response in responses)
            assert deltas == (responses[-1].message.content or "")
        return [responses[-1] for responses in streams]

    def facts_of(self, response: ChatResponse, case: Case) -> Facts:
        """Return the facts of a response."""
        message, counts = response.message, response.additional_kwargs
        reasoning = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
        calls = self.model.get_tool_calls_from_response(response, error_on_no_tool_call=False)
        return Facts(
            message.content or "",
            sum(len(block.content or "") for block in reasoning),
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


@pytest.fixture(scope="module")
def caller(replay: Replay) -> Iterator[Caller]:
    """A model with the replaying server."""
    with asyncio.Runner() as runner:
        model = XAILowCode(
            model="grok-4.7",
            api="chat_completions",
            api_token=SecretStr(replay.api_token),
            base_url=replay.base_url,
        )
        yield LlamaIndex(model, runner)
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
