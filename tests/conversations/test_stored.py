"""``use_previous_response_id`` and ``store=False``, in both adapters.

xAI gets the whole conversation of the caller, or the id of a stored response and the messages after
it. The reference is a model that sends the whole conversation.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cases import for_each
from tests.conversations.adapters import ADAPTERS, Adapter
from xai_lowcode.emulator import Emulator, running
from xai_lowcode.errors import NotFoundError

ENCRYPTED = "reasoning.encrypted_content"
each_adapter = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda adapter: adapter.name)


@pytest.fixture(scope="module")
def module_gateway() -> Iterator[Emulator]:
    """Run the emulator for this module."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def gateway(module_gateway: Emulator) -> Emulator:
    """Return the emulator without recorded requests."""
    module_gateway.reset()
    return module_gateway


def model_of(adapter: Adapter, gateway: Emulator, **options: Any) -> Any:
    """Create a model that uses the emulator."""
    connection = {"api_token": gateway.api_token, "base_url": gateway.base_url, "max_retries": 0}
    return adapter.model(model="grok-4.3", **connection, **options)


def body_of(adapter: Adapter, gateway: Emulator, model: Any, messages: list[Any]) -> Any:
    """Return the body of the request that a model sends for a conversation."""
    adapter.send(model, messages)
    return gateway.requests[-1].body


def whole_body(adapter: Adapter, gateway: Emulator, messages: list[Any]) -> Any:
    """Return the body with the whole conversation."""
    return body_of(adapter, gateway, model_of(adapter, gateway, store=True), messages)


def without_reasoning(body: dict[str, Any]) -> list[Any]:
    """Return the input without reasoning items."""
    return [item for item in body["input"] if item.get("type") != "reasoning"]


def start_conversation(adapter: Adapter, model: Any) -> list[Any]:
    """Have a conversation of two turns, and return it with a third prompt."""
    messages = [adapter.message("system", "Be brief."), adapter.message("user", "Say 'one'")]
    for question in ("Say 'two'", "Say 'three'"):
        messages += [adapter.send(model, messages), adapter.message("user", question)]
    return messages


Edit = Callable[[Adapter, list[Any]], list[Any]]
# Edits after which no stored response matches the messages.
EDITS: dict[str, Edit] = {
    "system prompt replaced": lambda a, turns: [a.message("system", "Be verbose."), *turns[1:]],
    "system prompt removed": lambda _, turns: turns[1:],
    "system prompt added": lambda a, turns: [a.message("system", "Be kind."), *turns],
    "system prompt added later": lambda a, turns: [
        *turns[:2], a.message("system", "."), *turns[2:]
    ],
    "question edited": lambda a, turns: [turns[0], a.message("user", "Say 'ten'"), *turns[2:]],
    "response edited": lambda a, turns: [*turns[:2], a.rewrite(turns[2], "ten"), *turns[3:]],
    "response of another origin": lambda a, turns: [
        *turns[:2], a.message("assistant", a.text(turns[2]) + "!"), *turns[3:]
    ],
    "turn removed": lambda _, turns: [turns[0], *turns[3:]],
    "messages merged": lambda a, turns: [
        a.message("system", "Be brief.\nSay 'one'"), *turns[2:]
    ],
}  # fmt: skip


@each_adapter
def test_a_conversation_is_continued(adapter: Adapter, gateway: Emulator) -> None:
    """Only the new message is sent, with the id of the last response."""
    messages = start_conversation(
        adapter, llm := model_of(adapter, gateway, use_previous_response_id=True)
    )
    body = body_of(adapter, gateway, llm, messages)
    assert body["input"] == [{"role": "user", "content": "Say 'three'"}]
    first, second = (request.body for request in gateway.requests[:2])
    assert "previous_response_id" not in first
    assert second["previous_response_id"] not in {None, body["previous_response_id"]}


@pytest.fixture
def conversation(adapter: Adapter, gateway: Emulator) -> tuple[Any, list[Any]]:
    """Return a model that continues stored responses, and a conversation with it."""
    llm = model_of(adapter, gateway, use_previous_response_id=True)
    return llm, start_conversation(adapter, llm)


@each_adapter
@for_each("edit", EDITS)
def test_an_edited_conversation_is_sent_whole(
    adapter: Adapter, gateway: Emulator, conversation: tuple[Any, list[Any]], edit: Edit
) -> None:
    """After an edit before every stored response, the whole conversation is sent."""
    llm, messages = conversation
    edited = edit(adapter, messages)
    response = adapter.send(llm, edited)
    body = gateway.requests[-1].body
    assert "previous_response_id" not in body
    assert body == whole_body(adapter, gateway, edited)
    # The response to the edited conversation is stored with it, and continued.
    messages = [*edited, response, adapter.message("user", "Say 'four'")]
    assert len(body_of(adapter, gateway, llm, messages)["input"]) == 1


@each_adapter
def test_an_edit_after_a_stored_response(adapter: Adapter, gateway: Emulator) -> None:
    """The last response before the edit is continued."""
    messages = start_conversation(
        adapter, llm := model_of(adapter, gateway, use_previous_response_id=True)
    )
    edited = [*messages[:3], adapter.message("user", "Say 'ten'"), *messages[4:]]
    body = body_of(adapter, gateway, llm, edited)
    assert body["previous_response_id"] == gateway.requests[1].body["previous_response_id"]
    assert body["input"][0] == {"role": "user", "content": "Say 'ten'"}


@each_adapter
def test_whitespace_at_the_ends_of_a_response_is_no_edit(
    adapter: Adapter, gateway: Emulator
) -> None:
    """LlamaIndex's chat engines strip the text of streamed responses."""
    llm = model_of(adapter, gateway, use_previous_response_id=True)
    gateway.reply(" one\n")
    question = adapter.message("user", "Say 'one'")
    response = adapter.send(llm, [question])
    messages = [question, adapter.rewrite(response, "one"), adapter.message("user", "And?")]
    assert len(body_of(adapter, gateway, llm, messages)["input"]) == 1


@each_adapter
def test_an_expired_response_is_replaced_by_the_whole_conversation(
    adapter: Adapter, gateway: Emulator
) -> None:
    """The whole conversation is sent once, without a retry, and its response is continued."""
    messages = start_conversation(
        adapter, llm := model_of(adapter, gateway, use_previous_response_id=True)
    )
    gateway.store.responses.clear()
    gateway.requests.clear()
    messages = [*messages, adapter.send(llm, messages), adapter.message("user", "Say 'four'")]
    rejected, sent = (request.body for request in gateway.requests)
    assert rejected["previous_response_id"]
    # Reasoning items without content refer to the expired response.
    assert sent["input"] == without_reasoning(whole_body(adapter, gateway, messages[:-2]))
    assert "previous_response_id" not in sent
    gateway.requests.clear()
    assert len(body_of(adapter, gateway, llm, messages)["input"]) == 1
    assert len(gateway.requests) == 1


@each_adapter
def test_an_expired_id_of_the_caller_raises(adapter: Adapter, gateway: Emulator) -> None:
    """An id that the caller has set is not removed, since its conversation is unknown."""
    llm = model_of(adapter, gateway)
    llm = llm.bind(previous_response_id="r") if hasattr(llm, "bind") else llm.model_copy(
        update={"additional_kwargs": {"previous_response_id": "r"}}
    )  # fmt: skip
    with pytest.raises(NotFoundError, match="r not found"):
        adapter.send(llm, [adapter.message("user", "Say 'one'")])
    assert len(gateway.requests) == 1


@each_adapter
def test_instructions_are_not_sent_with_an_id(adapter: Adapter, gateway: Emulator) -> None:
    """XAI rejects both together, so that the whole conversation is sent."""
    options: dict[str, Any] = {"use_previous_response_id": True}
    options[adapter.extra] = {"instructions": "Be brief."}
    messages = start_conversation(adapter, llm := model_of(adapter, gateway, **options))
    body = body_of(adapter, gateway, llm, messages)
    assert (body["instructions"], len(without_reasoning(body))) == ("Be brief.", len(messages))
    # A response that was stored with instructions is not continued without them.
    llm = model_of(adapter, gateway, use_previous_response_id=True)
    assert "previous_response_id" not in body_of(adapter, gateway, llm, messages)


@each_adapter
@pytest.mark.parametrize("include", [None, ["no_inline_citations"], [ENCRYPTED]])
@pytest.mark.parametrize("store", [None, False])
def test_encrypted_reasoning_is_requested_if_nothing_is_stored(
    adapter: Adapter, gateway: Emulator, include: list[str] | None, store: bool | None
) -> None:
    """Every reasoning item of the next request has its content."""
    llm = model_of(adapter, gateway, store=store, include=include)
    messages = start_conversation(adapter, llm)
    body = body_of(adapter, gateway, llm, messages)
    assert body["include"].count(ENCRYPTED) == 1
    assert set(include or ()) <= set(body["include"])
    reasoning = [item for item in body["input"] if item.get("type") == "reasoning"]
    assert reasoning
    assert all(item["encrypted_content"] for item in reasoning)


@each_adapter
def test_bare_reasoning_is_omitted_if_nothing_is_stored(
    adapter: Adapter, gateway: Emulator
) -> None:
    """Reasoning items without content are sent only if xAI stores responses."""
    messages = start_conversation(adapter, model_of(adapter, gateway, use_encrypted_content=False))
    for options, is_sent in (({"store": False}, False), ({}, False), ({"store": True}, True)):
        body = body_of(adapter, gateway, model_of(adapter, gateway, **options), messages)
        types = {item.get("type") for item in body["input"]}
        assert ("reasoning" in types) is is_sent
