"""Law: XAILowCode reads every recorded body to the facts of the index, in all four ways."""

import asyncio
from collections.abc import Iterator

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

pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ThinkingBlock
from pydantic import SecretStr

from llama_index_xai_lowcode import XAILowCode

QUESTION = [ChatMessage(role="user", content="?")]


class LlamaIndex(Ways):
    """The LLM of LlamaIndex."""

    def __init__(self, model: XAILowCode, runner: asyncio.Runner) -> None:
        super().__init__(runner)
        self.model = model

    def whole(self) -> list[ChatResponse]:
        """By ``chat`` and ``achat``."""
        return [self.model.chat(QUESTION), self.runner.run(self.model.achat(QUESTION))]

    def streamed(self) -> list[ChatResponse]:
        """By ``stream_chat`` and ``astream_chat``: the last response, with all deltas as text."""

        async def read() -> list[ChatResponse]:
            return [response async for response in await self.model.astream_chat(QUESTION)]

        streams = (list(self.model.stream_chat(QUESTION)), self.runner.run(read()))
        for responses in streams:
            deltas = "".join(response.delta or "" for response in responses)
            assert deltas == (responses[-1].message.content or "")
        return [responses[-1] for responses in streams]

    def found_in(self, answer: ChatResponse, case: Case) -> Found:
        """The facts of a response."""
        message, counts = answer.message, answer.additional_kwargs
        reasoning = [block for block in message.blocks if isinstance(block, ThinkingBlock)]
        calls = self.model.get_tool_calls_from_response(answer, error_on_no_tool_call=False)
        return Found(
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
def ways(replay: Replay) -> Iterator[Ways]:
    """A model behind the replaying server."""
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
@every_plain_dress
def test_plain_answers(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A plain answer, in any envelope and pieces, has the facts of the index in all four ways."""
    check_plain(ways, replay, case, dress)


@every_stream_in_turn
def test_streams(ways: Ways, replay: Replay, case: Case, dress: str) -> None:
    """A stream, in any dress, cut where it hurts, has the facts of the index in both ways."""
    check_stream(ways, replay, case, dress)
