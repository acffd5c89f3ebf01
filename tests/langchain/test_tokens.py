"""Token counting with the model's tokenizer, and estimates with a warning."""

import warnings
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, trim_messages
from langchain_core.tools import tool

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.emulator import Drop, Refuse
from xai_lowcode.emulator import tokenizer as theirs
from xai_lowcode.errors import APIConnectionError, AuthenticationError

TEXT = "Hello world, how are you?"


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers, carefully."""
    return a + b


async def test_token_counts_are_those_of_the_tokenizer(gateway: Any) -> None:
    """Counts and ids are those of the tokenizer endpoint, cached for sync and async methods."""
    model = ChatXAILowCode(model="grok-4.3")
    ids = [token.id for token in theirs.tokenize(TEXT)]
    assert model.get_token_ids(TEXT) == await model.aget_token_ids(TEXT) == ids
    assert model.get_num_tokens(TEXT) == await model.aget_num_tokens(TEXT) == len(ids)
    (request,) = gateway.requests
    assert request.body == {"text": TEXT, "model": "grok-4.3"}


async def test_a_conversation(gateway: Any) -> None:
    """The count of messages is their text, 3 tokens for each message, 3 more, and tools as JSON."""
    model = ChatXAILowCode()
    messages = [SystemMessage("Be kind."), HumanMessage(TEXT), AIMessage("I am.")]
    texts = sum(theirs.count_tokens(str(message.content)) for message in messages)
    assert model.get_num_tokens_from_messages(messages) == texts + 3 * 3 + 3
    assert await model.aget_num_tokens_from_messages(messages) == texts + 3 * 3 + 3
    assert len(gateway.requests) == 1
    with_tools = model.get_num_tokens_from_messages(messages, [add])
    assert with_tools == await model.aget_num_tokens_from_messages(messages, [add])
    assert with_tools > texts + 12 + 15
    assert "carefully" in gateway.requests[-1].body["text"]


def test_trim_messages(gateway: Any) -> None:
    """``trim_messages`` accepts the model as token counter; each message is counted once."""
    model = ChatXAILowCode()
    messages = [SystemMessage("Be kind.")]
    for n in range(10):
        messages += [HumanMessage(f"Question number {n}?"), AIMessage(f"Answer number {n}.")]
    trimmed = trim_messages(
        messages,
        max_tokens=60,
        token_counter=model,
        strategy="last",
        start_on="human",
        include_system=True,
    )
    assert trimmed[0] == messages[0]
    assert trimmed[1:] == messages[-len(trimmed) + 1 :]
    assert 3 <= len(trimmed) < len(messages)
    assert model.get_num_tokens_from_messages(trimmed) <= 60
    sent_texts = [request.body["text"] for request in gateway.requests]
    assert len(sent_texts) == len(set(sent_texts))


async def test_offline_numbers_are_estimates(gateway: Any) -> None:
    """Without the gateway, counts are estimates, with one warning; token ids raise."""
    model = ChatXAILowCode(max_retries=0)
    gateway.inject(Drop())
    with pytest.warns(UserWarning, match="estimated") as caught:
        assert model.get_num_tokens("12345678") == 2
    assert len(caught) == 1
    with warnings.catch_warnings(action="error"):
        assert await model.aget_num_tokens("123456789") == 3
        assert model.get_num_tokens_from_messages([HumanMessage("1234")]) == 7
        assert await model.aget_num_tokens_from_messages([HumanMessage("1234")]) == 7
    gateway.inject(Drop(), Drop())
    with pytest.raises(APIConnectionError):
        model.get_token_ids("Hello")
    with pytest.raises(APIConnectionError):
        await model.aget_token_ids("Hello")


async def test_a_wrong_token_is_no_estimate(gateway: Any) -> None:
    """An authentication error is raised, not replaced by an estimate."""
    gateway.inject(Refuse(401), Refuse(401))
    with pytest.raises(AuthenticationError) as refusal:
        ChatXAILowCode().get_num_tokens("Hello")
    assert type(refusal.value).__module__ == "langchain_xai_lowcode._errors"
    with pytest.raises(AuthenticationError):
        await ChatXAILowCode().aget_num_tokens("Hello")


async def test_a_custom_tokenizer(gateway: Any) -> None:
    """LangChain's ``custom_get_token_ids`` has precedence; no request is sent."""
    model = ChatXAILowCode(custom_get_token_ids=lambda text: [ord(letter) for letter in text])
    assert model.get_token_ids("abc") == await model.aget_token_ids("abc") == [97, 98, 99]
    assert model.get_num_tokens("abc") == await model.aget_num_tokens("abc") == 3
    assert gateway.requests == []
