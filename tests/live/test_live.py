"""The hosted gateway: ``make live``, which needs a token and costs a few cents.

These are the conversations of the cassettes, and tests of behavior of the gateway that is not
documented. Without a token they run against the emulator.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cassettes"))

from conversations import CONVERSATIONS

from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode import Gateway, Settings, XAILowCodeError
from xai_lowcode.errors import CorruptedDownloadError, NotFoundError
from xai_lowcode.types.requests import PollingOptions

Found = Callable[[str], None]
MESSAGES = [{"role": "user", "content": "Say 'pong' and nothing else."}]


@pytest.fixture
def gateway(connection: dict[str, str]) -> Iterator[Gateway]:
    """A client of the gateway under test."""
    with Gateway(Settings.create(**connection)) as client:
        yield client


@pytest.fixture
def model(gateway: Gateway) -> str:
    """A language model that the account has."""
    names = [model.id for model in gateway.list_language_models()]
    return "grok-4.3" if "grok-4.3" in names else names[0]


@pytest.mark.parametrize("name", list(CONVERSATIONS))
def test_a_conversation(connection: dict[str, str], name: str) -> None:
    """Each conversation of the cassettes works with the gateway."""
    CONVERSATIONS[name](connection)


def test_free_endpoints(gateway: Gateway, model: str) -> None:
    """The endpoints that cost nothing return their fields."""
    assert gateway.get_api_key().redacted_api_key
    assert gateway.list_models()
    assert gateway.list_image_models()
    assert gateway.tokenize("Hello world!", model=model)


def test_ids(
    gateway: Gateway, model: str, report_finding: Found, caplog: pytest.LogCaptureFixture
) -> None:
    """An id reaches xAI in one of the URL formats; an unknown id is an error of xAI."""
    with caplog.at_level("INFO", logger="xai_lowcode"):
        assert gateway.retrieve_model(model).id == model
    assert gateway.get_language_model(model).id == model
    with pytest.raises(NotFoundError) as raised:
        gateway.retrieve_model("no-such-model")
    assert raised.value.source == "provider"
    for record in caplog.records:
        if ": using the " in record.getMessage():
            report_finding(record.getMessage())


def test_a_deferred_completion(gateway: Gateway, model: str, report_finding: Found) -> None:
    """A deferred completion can be retrieved only once."""
    deferred = gateway.create_chat_completion(model=model, messages=MESSAGES, deferred=True)
    polls: list[int] = []
    plan = PollingOptions(
        timeout=120, initial_delay=0.01, progress=lambda number, _seconds: polls.append(number)
    )
    done = gateway.poll_deferred_completion(deferred["request_id"], plan)
    assert done["choices"][0]["message"]["content"]
    report_finding(f"a deferred completion was ready at poll {len(polls)}")
    with pytest.raises(XAILowCodeError) as raised:
        gateway.poll_deferred_completion(deferred["request_id"], PollingOptions(timeout=1))
    report_finding(f"a deferred completion that was retrieved before: {raised.value.status_code}")


def test_a_stored_response(gateway: Gateway, model: str) -> None:
    """A stored response can be retrieved, continued and deleted."""
    first = gateway.create_response(model=model, input="Remember 17.", store=True)
    assert gateway.retrieve_response(first["id"])["id"] == first["id"]
    second = gateway.create_response(
        model=model, input="Which number?", previous_response_id=first["id"], store=True
    )
    for response in (first, second):
        assert gateway.delete_response(response["id"]).deleted
    with pytest.raises(NotFoundError):
        gateway.retrieve_response(first["id"])


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
def test_each_api(connection: dict[str, str], model: str, api: Any, report_finding: Found) -> None:
    """Each API returns a plain response and a stream, with usage."""
    llm = ChatXAILowCode(model=model, api=api, max_tokens=200, **connection)  # type: ignore[arg-type]
    assert llm.invoke("Say 'pong'.").usage_metadata
    chunks = list(llm.stream("Count from one to ten in words."))
    assert "".join(chunk.text for chunk in chunks)
    assert any(chunk.usage_metadata for chunk in chunks)
    report_finding(f"{api}: a stream of {len(chunks)} chunks")


def test_errors(
    connection: dict[str, str], gateway: Gateway, model: str, report_finding: Found
) -> None:
    """An error has its source, and no error has the token."""
    with pytest.raises(XAILowCodeError) as unknown_model:
        gateway.create_chat_completion(model="no-such-model", messages=MESSAGES)
    with pytest.raises(XAILowCodeError) as invalid:
        gateway.create_chat_completion(model=model, messages=MESSAGES, temperature=99)
    settings = Settings.create(**{**connection, "api_token": "at_r" + "0" * 32})
    with Gateway(settings) as unknown_client, pytest.raises(XAILowCodeError) as rejected:
        unknown_client.get_api_key()
    for name, raised in (("model", unknown_model), ("value", invalid), ("token", rejected)):
        error = raised.value
        assert connection["api_token"] not in f"{error} {error.body}"
        report_finding(
            f"an unknown {name}: {type(error).__name__} {error.status_code} of {error.source}"
        )
    assert unknown_model.value.source in {"provider", "unknown"}
    assert rejected.value.status_code in {401, 403}


def test_a_file(gateway: Gateway, report_finding: Found) -> None:
    """A file is uploaded in chunks, retrieved, renamed, downloaded and deleted."""
    record = gateway.upload_file(b"A lighthouse at dawn.", name="live.txt")
    try:
        assert gateway.get_file(record.id).id == record.id
        report_finding(
            f"a file renamed: {gateway.update_file(record.id, filename='renamed.txt').name}"
        )
        try:
            content = gateway.download_file(record.id).content
        except CorruptedDownloadError as error:
            content = error.content
            report_finding("a text was corrupted when it was downloaded")
        assert b"lighthouse" in content
        assert any(file.id == record.id for file in gateway.iterate_files())
    finally:
        assert gateway.delete_file(record.id).deleted
