"""``use_previous_response_id`` and ``store=False``, in both adapters.

The law: the service gets the conversation of the caller, whole or as a stored response and what
follows it. The reference is a model that sends the whole conversation.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

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
    adapter.ask(model, messages)
    return gateway.requests[-1].body


def whole_body(adapter: Adapter, gateway: Emulator, messages: list[Any]) -> Any:
    """Return the body with the whole conversation."""
    return body_of(adapter, gateway, model_of(adapter, gateway, store=True), messages)


def without_reasoning(body: dict[str, Any]) -> list[Any]:
    """Return the input without reasoning items."""
    return [item for item in body["input"] if item.get("type") != "reasoning"]


def talk_of(adapter: Adapter, model: Any) -> list[Any]:
    """Have a conversation of two turns, and ask a third question."""
    talk = [adapter.message("system", "Be brief."), adapter.message("user", "Say 'one'")]
    for question in ("Say 'two'", "Say 'three'"):
        talk += [adapter.ask(model, talk), adapter.message("user", question)]
    return talk


Edit = Callable[[Adapter, list[Any]], list[Any]]
# Edits after which no stored response is what the messages say.
EDITS: dict[str, Edit] = {
    "system prompt replaced": lambda a, talk: [a.message("system", "Be verbose."), *talk[1:]],
    "system prompt removed": lambda _, talk: talk[1:],
    "system prompt added": lambda a, talk: [a.message("system", "Be kind."), *talk],
    "system prompt added later": lambda a, talk: [*talk[:2], a.message("system", "."), *talk[2:]],
    "question edited": lambda a, talk: [talk[0], a.message("user", "Say 'ten'"), *talk[2:]],
    "response edited": lambda a, talk: [*talk[:2], a.rewrite(talk[2], "ten"), *talk[3:]],
    "response of another origin": lambda a, talk: [
        *talk[:2], a.message("assistant", a.text(talk[2]) + "!"), *talk[3:]
    ],
    "turn removed": lambda _, talk: [talk[0], *talk[3:]],
    "messages merged": lambda a, talk: [
        a.message("system", "Be brief.\nSay 'one'"), *talk[2:]
    ],
}  # fmt: skip


@each_adapter
def test_a_conversation_is_continued(adapter: Adapter, gateway: Emulator) -> None:
    """Only the new message is sent, with the id of the last response."""
    talk = talk_of(adapter, llm := model_of(adapter, gateway, use_previous_response_id=True))
    body = body_of(adapter, gateway, llm, talk)
    assert body["input"] == [{"role": "user", "content": "Say 'three'"}]
    first, second = (request.body for request in gateway.requests[:2])
    assert "previous_response_id" not in first
    assert second["previous_response_id"] not in {None, body["previous_response_id"]}


@each_adapter
@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_conversation_is_sent_whole(
    adapter: Adapter, gateway: Emulator, edit: str
) -> None:
    """After an edit before every stored response, the whole conversation is sent."""
    talk = talk_of(adapter, llm := model_of(adapter, gateway, use_previous_response_id=True))
    edited = EDITS[edit](adapter, talk)
    body = body_of(adapter, gateway, llm, edited)
    assert "previous_response_id" not in body
    assert body == whole_body(adapter, gateway, edited)
    # The response to the edited conversation is stored with it, and continued.
    talk = [*edited, adapter.ask(llm, edited), adapter.message("user", "Say 'four'")]
    assert len(body_of(adapter, gateway, llm, talk)["input"]) == 1


@each_adapter
def test_an_edit_after_a_stored_response(adapter: Adapter, gateway: Emulator) -> None:
    """The last response before the edit is continued."""
    talk = talk_of(adapter, llm := model_of(adapter, gateway, use_previous_response_id=True))
    edited = [*talk[:3], adapter.message("user", "Say 'ten'"), *talk[4:]]
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
    answer = adapter.ask(llm, [question])
    talk = [question, adapter.rewrite(answer, "one"), adapter.message("user", "And?")]
    assert len(body_of(adapter, gateway, llm, talk)["input"]) == 1


@each_adapter
def test_a_response_that_is_gone(adapter: Adapter, gateway: Emulator) -> None:
    """The whole conversation is sent once, without a retry, and its response is continued."""
    talk = talk_of(adapter, llm := model_of(adapter, gateway, use_previous_response_id=True))
    gateway.store.responses.clear()
    gateway.requests.clear()
    talk = [*talk, adapter.ask(llm, talk), adapter.message("user", "Say 'four'")]
    refused, sent = (request.body for request in gateway.requests)
    assert refused["previous_response_id"]
    # Reasoning items without content refer to the response that is gone.
    assert sent["input"] == without_reasoning(whole_body(adapter, gateway, talk[:-2]))
    assert "previous_response_id" not in sent
    gateway.requests.clear()
    assert len(body_of(adapter, gateway, llm, talk)["input"]) == 1
    assert len(gateway.requests) == 1


@each_adapter
def test_an_id_of_the_caller_that_is_gone(adapter: Adapter, gateway: Emulator) -> None:
    """An id that the caller has set is not removed: its conversation is not at hand."""
    llm = model_of(adapter, gateway)
    llm = llm.bind(previous_response_id="r") if hasattr(llm, "bind") else llm.model_copy(
        update={"additional_kwargs": {"previous_response_id": "r"}}
    )  # fmt: skip
    with pytest.raises(NotFoundError, match="r not found"):
        adapter.ask(llm, [adapter.message("user", "Say 'one'")])
    assert len(gateway.requests) == 1


@each_adapter
def test_instructions_are_not_sent_with_an_id(adapter: Adapter, gateway: Emulator) -> None:
    """Both together are rejected by xAI, so the whole conversation is sent."""
    options: dict[str, Any] = {"use_previous_response_id": True}
    options[adapter.extra] = {"instructions": "Be brief."}
    talk = talk_of(adapter, llm := model_of(adapter, gateway, **options))
    body = body_of(adapter, gateway, llm, talk)
    assert (body["instructions"], len(without_reasoning(body))) == ("Be brief.", len(talk))
    # A response that was stored with instructions is not continued without them.
    llm = model_of(adapter, gateway, use_previous_response_id=True)
    assert "previous_response_id" not in body_of(adapter, gateway, llm, talk)


@each_adapter
@pytest.mark.parametrize("include", [None, ["no_inline_citations"], [ENCRYPTED]])
@pytest.mark.parametrize("store", [None, False])
def test_encrypted_reasoning_is_requested_if_nothing_is_stored(
    adapter: Adapter, gateway: Emulator, include: list[str] | None, store: bool | None
) -> None:
    """Every reasoning item of the next request has its content."""
    llm = model_of(adapter, gateway, store=store, include=include)
    talk = talk_of(adapter, llm)
    body = body_of(adapter, gateway, llm, talk)
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
    talk = talk_of(adapter, model_of(adapter, gateway, use_encrypted_content=False))
    for options, is_sent in (({"store": False}, False), ({}, False), ({"store": True}, True)):
        body = body_of(adapter, gateway, model_of(adapter, gateway, **options), talk)
        types = {item.get("type") for item in body["input"]}
        assert ("reasoning" in types) is is_sent
