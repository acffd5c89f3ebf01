"""Laws of counts: adapters and their frameworks count what xAI billed, in every recorded body."""

from functools import reduce
from operator import add
from typing import Any

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import under
from tests.recorded.parsing import events_in, parse
from tests.recorded.rendering import blocks_of, plain_of
from tests.recorded.test_laws import ACCOUNTS

pytest.importorskip("langchain_core")
pytest.importorskip("llama_index.core")
if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

from langchain_core.messages import AIMessage
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.callbacks.token_counting import get_tokens_from_response

from langchain_xai_lowcode._output import to_result
from langchain_xai_lowcode._stream import ChunkBuilder
from llama_index_xai_lowcode._request import prepare_request
from llama_index_xai_lowcode._responses import to_completion, to_response
from llama_index_xai_lowcode._stream import ResponseBuilder

Json = dict[str, Any]
PREPARED = prepare_request("grok-4.7", [ChatMessage("?")], {})


def llama_index_responses(case: Case) -> list[ChatResponse]:
    """The response, plain and streamed."""
    builder = ResponseBuilder(PREPARED)
    for event in events_in(case.form, blocks_of(case)):
        builder.add(event)
    return [to_response(parse(case.form, plain_of(case)), PREPARED), builder.build_final()]


def langchain_messages(case: Case) -> list[AIMessage]:
    """The message, plain and streamed."""
    result = to_result(parse(case.form, plain_of(case)), PREPARED.request, with_headers=False)
    builder = ChunkBuilder(PREPARED.request)
    fed = [builder.feed(event) for event in events_in(case.form, blocks_of(case))]
    chunks: list[Any] = [chunk.message for chunk in [*fed, *builder.end()] if chunk is not None]
    plain = result.generations[0].message
    assert isinstance(plain, AIMessage)
    assert isinstance(result.llm_output, dict)
    assert result.llm_output["token_usage"] == plain.response_metadata.get("token_usage", {})
    return [plain, reduce(add, chunks)]


@under("usage")
def test_the_counter_of_llama_index_counts_what_was_billed(case: Case) -> None:
    """``TokenCountingHandler`` reads input and output tokens, reasoning tokens included."""
    billed = ACCOUNTS[case.form](plain_of(case)["usage"])
    for response in llama_index_responses(case):
        assert get_tokens_from_response(response) == billed[:2]
        assert get_tokens_from_response(to_completion(response)) == billed[:2]
        assert sum(get_tokens_from_response(response)) == billed[2]


@under("usage")
def test_token_usage_means_one_thing(case: Case) -> None:
    """``token_usage`` of both adapters has the billed counts and all details, streamed or not."""
    usage = plain_of(case)["usage"]
    plain, streamed = langchain_messages(case)
    token_usage = plain.response_metadata["token_usage"]
    assert streamed.response_metadata["token_usage"] == token_usage
    assert plain.usage_metadata == streamed.usage_metadata
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    assert tuple(token_usage[name] for name in names) == ACCOUNTS[case.form](usage)
    for name, value in usage.items():
        if isinstance(value, dict):
            renamed = name.replace("input_", "prompt_").replace("output_", "completion_")
            assert value.items() <= token_usage[renamed].items()
        elif name not in {*names, "input_tokens", "output_tokens"}:
            assert token_usage[name] == value
    for name in ("service_tier", "cost_usd"):
        assert plain.response_metadata.get(name) == streamed.response_metadata.get(name)
    for response in llama_index_responses(case):
        assert response.additional_kwargs["token_usage"] == token_usage
        for name in ("service_tier", "cost_usd"):
            assert response.additional_kwargs.get(name) == plain.response_metadata.get(name)
    if (ticks := usage.get("cost_in_usd_ticks")) is not None:
        assert plain.response_metadata["cost_usd"] == ticks / 10**10
