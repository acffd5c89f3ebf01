"""Configuration: aliases, metadata, dumps, copies, and secrecy of the token."""

import asyncio
import copy
import json
import logging
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from llama_index.core import Settings
from llama_index.core.llms import ChatMessage
from llama_index.core.llms.utils import resolve_llm
from pydantic import SecretStr, ValidationError

from llama_index_xai_lowcode import XAILowCode
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError

TOKEN = "at_r0123456789abcdef"


def test_api_store_and_include_are_fields(gateway: Any, model: Any, hello: Any) -> None:
    """api, store and include are fields; options of a call override them."""
    llm = model(api="responses", store=False, include=["reasoning.encrypted_content"])
    llm.chat(hello)
    body = gateway.requests[-1].body
    assert (body["store"], body["include"]) == (False, ["reasoning.encrypted_content"])
    llm.chat(hello, api="messages", store=None, include=None)
    assert gateway.requests[-1].path.endswith("/v1/messages")
    llm.chat(hello, store=True)
    body = gateway.requests[-1].body
    assert (body["store"], body["include"]) == (True, ["reasoning.encrypted_content"])
    llm.store, llm.include = True, None
    llm.chat(hello, reasoning_summary="concise", max_turns=2)
    body = gateway.requests[-1].body
    assert body["store"] is True
    assert "include" not in body
    assert (body["reasoning"]["summary"], body["max_turns"]) == ("concise", 2)
    with pytest.raises(UsageError, match="api"):
        model(api="grpc").chat(hello)


def test_threads_share_a_model(model: Any) -> None:
    """Threads with event loops of their own get their own responses."""
    llm = model()

    def ask(number: int) -> str:
        question = [ChatMessage(f"Say 'n{number}'")]
        if number % 2:
            return str(asyncio.run(llm.achat(question)).message.content)
        return str(llm.chat(question).message.content)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(24))) == [f"n{number}" for number in range(24)]


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Token and base URL are read from the environment by default."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", TOKEN)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", "http://127.0.0.1:1/xai/")
    llm = XAILowCode()
    assert (llm.api_token, llm.base_url) == (SecretStr(TOKEN), "http://127.0.0.1:1/xai")
    assert XAILowCode(api_token="at_other").api_token == SecretStr("at_other")
    assert XAILowCode(api_token="at_other", api_key=TOKEN).api_token == SecretStr("at_other")
    with pytest.raises(ValidationError):
        XAILowCode.model_validate("grok-4.7")


@pytest.mark.parametrize("token", [None, "", "xai-abc", "at_ with space"])
def test_invalid_tokens(token: str | None) -> None:
    """An invalid token raises an error that does not contain it."""
    with pytest.raises(UsageError, match="api_token") as caught:
        XAILowCode(api_token=token)
    assert not token or token not in repr(caught.value)


def test_invalid_fields_do_not_show_the_token() -> None:
    """A validation error names the field, and does not contain the token."""
    with pytest.raises(ValidationError, match="temperature") as caught:
        XAILowCode(api_token=TOKEN, temperature="hot")
    assert TOKEN not in str(caught.value) + repr(caught.value) + str(caught.value.errors())
    with pytest.raises(UsageError, match="api_token") as rejected:
        XAILowCode(api_token=[TOKEN])
    assert TOKEN not in str(rejected.value) + repr(rejected.value)
    with pytest.raises(UsageError, match="http"):
        XAILowCode(api_token=TOKEN, base_url="http://example.com/xai")


@pytest.mark.parametrize(
    ("options", "window", "output"),
    [
        ({"model": "grok-4.7"}, 500_000, -1),
        ({"model": "grok-3"}, 131_072, -1),
        ({"model": "a-model-of-next-year", "max_tokens": 7}, 256_000, 7),
        ({"model": "grok-3", "context_window": 9}, 9, -1),
    ],
)
def test_metadata(options: Any, window: int, output: int) -> None:
    """Context window and output limit are known for any name, and follow the fields."""
    metadata = XAILowCode(api_token=TOKEN, **options).metadata
    assert (metadata.context_window, metadata.num_output) == (window, output)
    assert metadata.is_chat_model
    assert metadata.is_function_calling_model
    assert metadata.model_name == options["model"]


def test_metadata_follows_assignment() -> None:
    """Assigning another name changes the metadata."""
    llm = XAILowCode(api_token=TOKEN)
    llm.model, llm.max_tokens, llm.is_function_calling_model = "grok-3", 5, False
    assert llm.metadata.context_window == 131_072
    assert llm.metadata.num_output == 5
    assert not llm.metadata.is_function_calling_model


def used_llm(llm: XAILowCode) -> XAILowCode:
    llm.complete("Hi")
    return llm


def test_dict_and_back(gateway: Any, model: Any, hello: Any) -> None:
    """A dump omits the token; ``from_dict`` takes it from the caller."""
    llm = used_llm(model(temperature=0.2, additional_kwargs={"seed": 3}, timeout=(1, 2, 3, 4)))
    stored = json.loads(json.dumps(llm.to_dict()))
    assert stored["class_name"] == "XAILowCode"
    back = XAILowCode.from_dict(stored, api_token=gateway.api_token)
    assert back.to_dict() == llm.to_dict()
    assert back.timeout == (1, 2, 3, 4)
    assert back.chat(hello).message.content
    with pytest.raises(UsageError, match="api_token"):
        XAILowCode.from_dict(stored)


def test_timeouts_of_httpx_are_stored() -> None:
    """An httpx.Timeout is dumped as a tuple."""
    llm = XAILowCode(api_token=TOKEN, timeout=httpx.Timeout(1, read=2))
    assert json.loads(llm.to_json())["timeout"] == [1, 2, 1, 1]


def test_json_and_back(llm: XAILowCode, gateway: Any, monkeypatch: Any) -> None:
    """JSON restores the model, with the token from the environment."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
    for back in (
        XAILowCode.from_json(llm.to_json()),
        XAILowCode.model_validate_json(llm.model_dump_json()),
    ):
        assert back.to_dict() == llm.to_dict()
        assert back.additional_kwargs == {}


@pytest.mark.parametrize(
    "copied",
    [
        copy.copy,
        copy.deepcopy,
        lambda llm: llm.model_copy(deep=True),
        lambda llm: llm.model_copy(update={"temperature": 0.1}),
        lambda llm: pickle.loads(pickle.dumps(llm)),  # noqa: S301 - our own bytes
    ],
    ids=["copy", "deepcopy", "model_copy", "update", "pickle"],
)
def test_copies(llm: XAILowCode, hello: Any, copied: Any, caplog: Any) -> None:
    """A copy of a used model works, the original too, without warnings."""
    copied_llm = copied(used_llm(llm))
    assert copied_llm.api_token == llm.api_token
    assert copied_llm.chat(hello).message.content == llm.chat(hello).message.content
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def _assign(llm: Any, fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        setattr(llm, name, value)
    return llm


CHANGES: dict[str, Any] = {
    "assigned": _assign,
    "copy": lambda llm, fields: _assign(copy.copy(llm), fields),
    "deepcopy": lambda llm, fields: _assign(copy.deepcopy(llm), fields),
    "model_copy": lambda llm, fields: llm.model_copy(update=fields),
    "deep model_copy": lambda llm, fields: llm.model_copy(update=fields, deep=True),
    "pickle": lambda llm, fields: _assign(pickle.loads(pickle.dumps(llm)), fields),  # noqa: S301
}


def test_a_changed_model_connects_to_its_own_gateway(
    sync_async: Any, gateway: Any, llm: XAILowCode, hello: Any
) -> None:
    """Base URL, token and options of a changed model that was used are those of its requests."""
    for name, change in CHANGES.items():
        with running() as other:
            used = used_llm(llm.model_copy(deep=True))
            place = {"base_url": other.base_url, "api_token": other.api_token}
            changed = change(used, {**place, "model": "grok-3", "temperature": 0.5})
            gateway.requests.clear()
            assert sync_async.call(changed, "chat", hello).message.content
            assert gateway.requests == [], name
            assert [(r.body["model"], r.body["temperature"]) for r in other.requests] == [
                ("grok-3", 0.5)
            ], name
            assert changed.metadata.model_name == "grok-3"
            assert other.api_token not in f"{changed!r} {changed.to_json()}"


def test_a_model_that_is_no_name_is_refused_by_the_call(
    sync_async: Any, gateway: Any, llm: XAILowCode, hello: Any
) -> None:
    """The error names the field, however it was changed; nothing is sent."""
    for change in CHANGES.values():
        for wrong in (None, 5, ["grok-4.7"], "", " "):
            changed = change(llm.model_copy(), {"model": wrong})
            for call, method in ((sync_async.call, "chat"), (sync_async.stream, "stream_chat")):
                with pytest.raises(UsageError, match=r"^model: "):
                    call(changed, method, hello)
    assert gateway.requests == []


def test_copies_are_updated_by_aliases(gateway: Any, llm: XAILowCode, hello: Any) -> None:
    """The constructor's names of another integration are those of `model_copy`, too."""
    with running() as other:
        update = {
            "api_key": other.api_token,
            "api_base": other.base_url,
            "max_new_tokens": 7,
            "async_http_client": None,
        }
        copied = llm.model_copy(update=update)
        assert copied.chat(hello).message.content
        assert [request.body["max_output_tokens"] for request in other.requests] == [7]
    assert gateway.requests == []
    assert llm.max_tokens is None


def test_copies_share_client_and_callbacks(model: Any, hello: Any) -> None:
    """A deep copy shares the HTTP client and the callbacks."""
    with httpx.Client() as client:
        llm = used_llm(model(http_client=client))
        copied_llm = copy.deepcopy(llm)
        assert copied_llm.http_client is client
        assert copied_llm.callback_manager is llm.callback_manager
        assert copied_llm.chat(hello).message.content


def test_pickling_does_not_change_the_model(model: Any, caplog: Any) -> None:
    """Pickles omit what cannot be pickled, with a warning; the original is not changed."""
    with httpx.Client() as client:
        llm = model(http_client=client, completion_to_prompt=lambda prompt: f"<{prompt}>")
        copied_llm = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own bytes
        assert llm.http_client is client
        assert llm.completion_to_prompt("a") == "<a>"
    assert copied_llm.http_client is None
    assert copied_llm.completion_to_prompt("a") == "a"
    assert "completion_to_prompt" in caplog.text


async def test_injected_clients_are_used(gateway: Any, model: Any, hello: Any) -> None:
    """Injected clients are used, do not receive the token, and are not closed."""
    urls: list[str] = []

    def record_request(request: httpx.Request) -> None:
        urls.append(str(request.url))

    async def record_request_async(request: httpx.Request) -> None:
        record_request(request)

    client = httpx.Client(event_hooks={"request": [record_request]})
    async_client = httpx.AsyncClient(event_hooks={"request": [record_request_async]})
    llm = model(http_client=client, http_async_client=async_client)
    llm.chat(hello)
    await llm.achat(hello)
    llm.close()
    await llm.aclose()
    assert len(urls) == 2
    assert gateway.api_token not in str(urls)
    assert not client.is_closed
    assert not async_client.is_closed
    client.close()  # noqa: ASYNC212 - closing does not wait
    await async_client.aclose()


@pytest.mark.parametrize("kind", ["repr", "str", "dict", "dump", "json", "payload", "schema"])
def test_reprs_and_dumps_have_no_token(
    llm: XAILowCode, model: Any, gateway: Any, kind: str
) -> None:
    """Reprs, dumps and payloads of a used model omit the token."""
    shown = {
        "repr": repr,
        "str": str,
        "dict": lambda llm: str(llm.to_dict()),
        "dump": lambda llm: str(llm.model_dump()) + llm.model_dump_json(),
        "json": XAILowCode.to_json,
        "payload": lambda llm: str(llm.to_payload()),
        "schema": lambda llm: str(llm.model_json_schema()) + str(vars(llm)),
    }[kind]
    assert gateway.api_token not in shown(used_llm(llm))
    assert "grok" in shown(llm)
    if kind not in {"payload", "schema"}:
        # A deliberate leak is detected.
        assert gateway.api_token in shown(model(additional_kwargs={"stop": [gateway.api_token]}))


def test_logs_have_no_token(
    sync_async: Any, each_llm: XAILowCode, gateway: Any, caplog: Any
) -> None:
    """Log records of all libraries omit the token."""
    with caplog.at_level(logging.DEBUG):
        sync_async.call(each_llm, "chat", [ChatMessage("Hi")])
    assert gateway.requests[-1].path.removeprefix("/xai") in caplog.text
    assert gateway.api_token not in caplog.text


def test_settings(llm: XAILowCode) -> None:
    """The model can be LlamaIndex's default model."""
    before = Settings._llm
    try:
        Settings.llm = llm
        assert Settings.llm is llm
        assert resolve_llm(llm) is llm
    finally:
        Settings._llm = before


def test_rejected_options_warn_once(model: Any, hello: Any) -> None:
    """An option that the model rejects is dropped with one warning."""
    llm = model(additional_kwargs={"presence_penalty": 1.0})
    with pytest.warns(UserWarning, match="presence_penalty"):
        llm.chat(hello)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        llm.chat(hello)
