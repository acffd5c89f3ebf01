"""The settings of clients and components: a token that changes, and settings assigned later."""

import asyncio
import pickle
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from llama_index.core.embeddings import BaseEmbedding
from llama_index.core.llms.function_calling import FunctionCallingLLM

from langchain_xai_lowcode import ChatXAILowCode, XAILowCodeEmbeddings
from llama_index_xai_lowcode import XAILowCode, XAILowCodeEmbedding
from xai_lowcode import AsyncGateway, ChatModel, ChatRequest, Gateway, Message, Settings
from xai_lowcode.errors import AuthenticationError, UsageError

TOKENS = [f"tok-{letter}0123456789" for letter in "abc"]
TOKEN = "at_r0123456789abcdef"
BODY = {
    "id": "1",
    "object": "chat.completion",
    "model": "grok-4.7",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
}


class Recorder:
    """Clients that record the token of each request, and return a response."""

    def __init__(self, respond: Callable[[str], httpx.Response] | None = None) -> None:
        self.tokens: list[str] = []
        self._respond = respond or (lambda _token: httpx.Response(200, json=BODY))
        self.sync_client = httpx.Client(transport=httpx.MockTransport(self._handle))
        self.async_client = httpx.AsyncClient(transport=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        match = re.search(rb"api_token=([^&]*)", bytes(request.url.raw_path))
        assert match is not None
        self.tokens.append(match[1].decode())
        return self._respond(self.tokens[-1])


def langchain(**options: Any) -> Any:
    """Return LangChain's model."""
    return ChatXAILowCode(api="chat_completions", url_format="new", max_retries=0, **options)


def llama_index(**options: Any) -> Any:
    """Return LlamaIndex's model."""
    return XAILowCode(api="chat_completions", url_format="new", max_retries=0, **options)


def send_request(model: Any, *, is_async: bool = False) -> None:
    """Send one request."""
    match model, is_async:
        case ChatXAILowCode(), False:
            model.invoke("Hello")
        case ChatXAILowCode(), True:
            asyncio.run(model.ainvoke("Hello"))
        case _, False:
            model.complete("Hello")
        case _:
            asyncio.run(model.acomplete("Hello"))


ADAPTERS = pytest.mark.parametrize("create", [langchain, llama_index])
ASYNC = pytest.mark.parametrize("is_async", [False, True])


def first_token() -> str:
    """Return a token; can be pickled."""
    return TOKENS[0]


@ADAPTERS
@ASYNC
def test_a_token_function_is_called_for_each_request(create: Any, *, is_async: bool) -> None:
    """Each request has the token that the function returns; no ``repr`` or dump has one."""
    recorder, tokens = Recorder(), iter(TOKENS)
    model = create(
        api_token=lambda: next(tokens),
        http_client=recorder.sync_client,
        http_async_client=recorder.async_client,
    )
    for _ in TOKENS:
        send_request(model, is_async=is_async)
    assert recorder.tokens == TOKENS
    text = repr(model) + str(model) + model.model_dump_json()
    assert not [token for token in TOKENS if token in text]


@ADAPTERS
@ASYNC
def test_errors_have_no_token_of_the_function(create: Any, *, is_async: bool) -> None:
    """Tokens of the function in a response are redacted, the current and earlier ones."""
    recorder = Recorder(lambda _token: httpx.Response(401, text=f"invalid: {' '.join(TOKENS)}"))
    tokens = iter(TOKENS)
    model = create(
        api_token=lambda: next(tokens),
        http_client=recorder.sync_client,
        http_async_client=recorder.async_client,
    )
    for _ in TOKENS:
        with pytest.raises(AuthenticationError) as caught:
            send_request(model, is_async=is_async)
    assert recorder.tokens == TOKENS
    text = f"{caught.value} {caught.value!r} {vars(caught.value)}"
    assert not [token for token in TOKENS if token in text]


@ADAPTERS
@pytest.mark.parametrize("returned", [None, 3, "", "xai-0123456789", "at_1 2"])
def test_an_invalid_token_of_a_function_is_rejected(create: Any, returned: Any) -> None:
    """No request is sent, and the error names the field."""
    recorder = Recorder()
    model = create(api_token=lambda: returned, http_client=recorder.sync_client)
    with pytest.raises(UsageError, match="api_token"):
        send_request(model)
    assert recorder.tokens == []


async def _fetch() -> str:
    return TOKEN


@ADAPTERS
@pytest.mark.parametrize("given", [3, [TOKEN], {"token": TOKEN}, str, _fetch])
def test_other_types_of_tokens_are_rejected(create: Any, given: Any) -> None:
    """The error names the field, and does not repeat the value."""
    with pytest.raises(UsageError, match="api_token: must be a string") as caught:
        create(api_token=given)
    assert TOKEN not in str(caught.value)


@ADAPTERS
def test_pickles_refer_to_the_token_function(create: Any) -> None:
    """A pickle refers to the function and has no token; a lambda raises `UsageError`."""
    model = create(api_token=first_token)
    data = pickle.dumps(model)
    assert TOKENS[0].encode() not in data
    loaded, recorder = pickle.loads(data), Recorder()  # noqa: S301 - created above
    loaded.http_client = recorder.sync_client
    send_request(loaded)
    assert recorder.tokens == TOKENS[:1]
    with pytest.raises(UsageError, match="api_token: this function cannot be pickled"):
        pickle.dumps(create(api_token=lambda: TOKEN))


@ADAPTERS
@ASYNC
@pytest.mark.parametrize("new_token", [TOKENS[1], lambda: TOKENS[1]])
def test_an_assigned_token_is_used(create: Any, new_token: Any, *, is_async: bool) -> None:
    """The next call uses an assigned token; an invalid one raises there at the latest."""
    recorder = Recorder()
    model = create(
        api_token=TOKENS[0],
        http_client=recorder.sync_client,
        http_async_client=recorder.async_client,
    )
    send_request(model, is_async=is_async)
    model.api_token = new_token
    send_request(model, is_async=is_async)
    assert recorder.tokens == TOKENS[:2]
    assert TOKENS[1] not in repr(model) + model.model_dump_json()

    def assign_and_send(token: Any) -> None:
        model.api_token = token
        send_request(model, is_async=is_async)

    for invalid in (3, "xai-0123456789", "at_1 2"):
        with pytest.raises(UsageError, match="api_token"):
            assign_and_send(invalid)
    assert recorder.tokens == TOKENS[:2]


@pytest.mark.parametrize("kind", [Gateway, AsyncGateway, ChatModel])
def test_clients_accept_settings_options_or_the_environment(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients accept settings, options, or neither; anything else raises `UsageError`."""
    expected = Settings.create(api_token=TOKEN, deadline=5)
    assert kind(expected).settings is expected
    assert kind(api_token=TOKEN, deadline=5).settings == expected
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", TOKEN)
    assert kind().settings == Settings.create(api_token=TOKEN)
    assert pickle.loads(pickle.dumps(kind(deadline=5))).settings == expected  # noqa: S301 - as above
    for args, options in (((expected,), {"deadline": 5}), ((TOKEN,), {}), (({},), {})):
        with pytest.raises(UsageError, match="settings") as caught:
            kind(*args, **options)
        assert TOKEN not in str(caught.value)
    with pytest.raises(UsageError, match="headers"):
        kind(headers={"Authorization": TOKEN})


@pytest.mark.parametrize(
    "message", [{"role": "user", "content": "Hello"}, "Hello", Message("user", "Hello"), None]
)
def test_other_types_of_messages_are_rejected(message: Any) -> None:
    """The error names the message and the constructor to use, which works."""
    with pytest.raises(UsageError, match=r"messages\[1\].*Message.from_text"):
        ChatRequest(model="grok-4.7", messages=[Message.from_text("user", "Hi"), message])
    recorder = Recorder()
    model = ChatModel(api_token=TOKEN, url_format="new", http_client=recorder.sync_client)
    request = ChatRequest(
        model="grok-4.7", messages=[Message.from_text("user", "Hi")], api="chat_completions"
    )
    assert model.generate(request).text == "Hello!"


def test_both_adapters_have_the_same_argument_names() -> None:
    """Argument names differ only where the frameworks' own names differ."""
    frameworks = {*BaseChatModel.model_fields, *FunctionCallingLLM.model_fields}
    langchain_names = ChatXAILowCode._argument_names() | ChatXAILowCode._options
    llama_index_names = {*XAILowCode.model_fields, *XAILowCode._aliases, *XAILowCode._options}
    assert (langchain_names ^ llama_index_names) - frameworks == {
        # Of langchain-openai and langchain-core.
        *("model_name", "request_timeout", "streaming"),
        *("include_response_headers", "include_total_cost"),
        # Of LlamaIndex's OpenAILike and LLMMetadata.
        *("async_http_client", "max_new_tokens", "context_window"),
        *("is_function_calling_model", "should_use_structured_outputs"),
    }
    embeddings = XAILowCodeEmbeddings._argument_names() ^ {
        *XAILowCodeEmbedding.model_fields,
        *XAILowCodeEmbedding._aliases,
    }
    assert embeddings - set(BaseEmbedding.model_fields) == {
        *("chunk_size", "request_timeout", "model_kwargs"),
        *("additional_kwargs", "async_http_client"),
    }
