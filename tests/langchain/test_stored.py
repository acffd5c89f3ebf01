"""``use_previous_response_id``: continuing from a stored response."""

from collections.abc import Callable
from functools import reduce
from operator import add
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode.errors import NotFoundError

Chat = Callable[..., ChatXAILowCode]
QUESTION = HumanMessage("How is the weather in 'Vienna'?")
MORE = HumanMessage("And what did I ask before?")


def get_weather(city: str) -> str:
    """Get the weather in a city."""
    return f"Sunny in {city}"


def create_continuing_chat(chat: Chat, **fields: Any) -> ChatXAILowCode:
    """Create a model with ``use_previous_response_id``."""
    return chat(model="grok-4.3", use_previous_response_id=True, **fields)


def sent(gateway: Any) -> tuple[str | None, list[Any]]:
    """Return the previous_response_id of the last request, and the roles or types of its input."""
    body = gateway.requests[-1].body
    return body.get("previous_response_id"), [
        item.get("role") or item["type"] for item in body["input"]
    ]


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("streamed", [False, True])
def test_only_new_messages_are_sent(
    gateway: Any, chat: Chat, version: str, *, streamed: bool
) -> None:
    """The last stored response is referenced, and only the messages after it are sent."""
    llm = create_continuing_chat(chat, output_version=version)
    history: list[Any] = [SystemMessage("Be brief."), QUESTION]
    for turn in range(3):
        answer = reduce(add, llm.stream(history)) if streamed else llm.invoke(history)
        named, roles = sent(gateway)
        assert roles == (["user"] if turn else ["system", "user"])
        if turn:
            assert named == history[-2].response_metadata["response_id"]
        history += [answer, MORE]
    whole = chat(model="grok-4.3", api="responses").invoke(history[:-2])
    # The response depends on the number of messages.
    assert whole.usage_metadata is not None
    assert history[-2].usage_metadata["input_tokens"] == whole.usage_metadata["input_tokens"]


async def test_an_agent_sends_only_tool_results(gateway: Any, chat: Chat) -> None:
    """In an agent loop, the second request has the tool result only."""
    agent: Any = create_agent(
        create_continuing_chat(chat), [get_weather], system_prompt="Be brief."
    )
    for answer in (
        agent.invoke({"messages": [QUESTION]}),
        await agent.ainvoke({"messages": [QUESTION]}),
    ):
        assert "Sunny in Vienna" in answer["messages"][-1].text
        assert sent(gateway)[1] == ["function_call_output"]


def test_messages_that_are_not_stored_are_sent(gateway: Any, chat: Chat) -> None:
    """With store=False, messages are sent as output items; an older stored one is referenced."""
    llm = create_continuing_chat(chat, store=False, include=["reasoning.encrypted_content"])
    first = llm.invoke([QUESTION])
    assert "response_id" not in first.response_metadata
    llm.invoke([QUESTION, first, MORE])
    assert sent(gateway) == (None, ["user", "reasoning", "assistant", "user"])
    assert gateway.requests[-1].body["input"][1]["encrypted_content"]
    stored = create_continuing_chat(chat).invoke([QUESTION])
    second = llm.invoke([QUESTION, stored, MORE])
    llm.invoke([QUESTION, stored, MORE, second, MORE])
    identifier = stored.response_metadata["response_id"]
    assert sent(gateway) == (identifier, ["user", "reasoning", "assistant", "user"])


def test_an_edited_message_is_sent(gateway: Any, chat: Chat) -> None:
    """An edited message is sent instead of the stored response."""
    llm = create_continuing_chat(chat).bind_tools([get_weather])
    answer = llm.invoke([QUESTION])
    answer.tool_calls[0]["args"] = {"city": "Rome"}
    result = ToolMessage("Rain", tool_call_id=answer.tool_calls[0]["id"])
    llm.invoke([QUESTION, answer, result])
    assert sent(gateway) == (None, ["user", "function_call", "function_call_output"])


def test_a_truncated_message_is_sent(gateway: Any, chat: Chat) -> None:
    """A message truncated client-side by a stop sequence is sent, not the stored response."""
    for answer in (
        create_continuing_chat(chat, stop="wrote").invoke([QUESTION]),
        reduce(add, create_continuing_chat(chat, stop="wrote").stream([QUESTION])),
    ):
        create_continuing_chat(chat).invoke([QUESTION, answer, MORE])
        assert sent(gateway) == (None, ["user", "assistant", "user"])


def test_messages_of_other_providers_are_sent(gateway: Any, chat: Chat) -> None:
    """A response id of another provider or of Chat Completions is ignored."""
    others = AIMessage(
        "Yes.", response_metadata={"model_provider": "openai", "response_id": "resp_1"}
    )
    plain = chat(api="chat_completions").invoke([QUESTION])
    for answer in (others, plain):
        create_continuing_chat(chat).invoke([QUESTION, answer, MORE])
        assert sent(gateway) == (None, ["user", "assistant", "user"])


def test_a_history_without_new_messages_is_sent(gateway: Any, chat: Chat) -> None:
    """A history that ends with a stored response continues from the one before it."""
    llm = create_continuing_chat(chat)
    first = llm.invoke([QUESTION])
    second = llm.invoke([QUESTION, first, MORE])
    llm.invoke([QUESTION, first, MORE, second])
    named, roles = sent(gateway)
    assert named == first.response_metadata["response_id"]
    assert roles[0] == "user"
    assert roles[-1] == "assistant"


def test_an_explicit_id_has_precedence(gateway: Any, chat: Chat) -> None:
    """previous_response_id of a call is sent, with all messages."""
    first = create_continuing_chat(chat).invoke([QUESTION])
    identifier = first.response_metadata["response_id"]
    chat().invoke([MORE], previous_response_id=identifier)
    assert sent(gateway) == (identifier, ["user"])
    with pytest.raises(NotFoundError):
        chat().invoke([MORE], previous_response_id="resp_unheard_of")
