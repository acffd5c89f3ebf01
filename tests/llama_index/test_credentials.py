"""Credentials among options are rejected with an error that names the option.

No request is sent, and the credential is in no error, event, span, ``repr`` or variable of the
package's frames. Settings of the connection that have secrets are tested here too.
"""

import asyncio
import copy
import inspect
import json
import pickle
import re
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field, SecretStr

import llama_index_xai_lowcode
from llama_index_xai_lowcode import (
    XAIImageGenerator,
    XAIImageToolSpec,
    XAILowCode,
    XAILowCodeEmbedding,
    mcp,
)
from tests.cases import for_each
from tests.core.fake_server import FakeServer, json_reply
from tests.credential_cases import (
    CALL_OPTIONS,
    CANARY,
    INVALID_SETTINGS,
    OPTIONS,
    PROXY,
    TOKEN,
    check_rejected,
    each_case,
)
from xai_lowcode._internal.credentials import NAME_OPTIONS
from xai_lowcode.errors import UsageError

PACKAGE_FILES = (str(Path(llama_index_xai_lowcode.__file__).parent), "/xai_lowcode/")
ALL = [XAILowCode, XAILowCodeEmbedding, XAIImageGenerator]

LLAMA_INDEX_CALL_OPTIONS = [*CALL_OPTIONS, ({"additional_kwargs": {"token": CANARY}}, "token")]


class EventRecorder(BaseEventHandler):
    """Records events as JSON and as repr."""

    texts: list[str] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.texts.append(f"{event.model_dump_json(fallback=repr)} {event!r}")


class SpanRecorder(SimpleSpanHandler):
    """Records arguments and errors of spans."""

    texts: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **more: Any) -> Any:
        self.texts.append(
            f"{id_} of {type(instance).__name__}: {bound_args!r} {instance!r} {more!r}"
        )
        return super().new_span(id_, bound_args, instance, **more)

    def prepare_to_drop_span(self, id_: str, *args: Any, **more: Any) -> Any:
        self.texts.append(f"{args!r} {more!r}")
        return super().prepare_to_drop_span(id_, *args, **more)


@contextmanager
def observed() -> Iterator[list[str]]:
    """Collect what LlamaIndex's event and span handlers receive."""
    root, events, spans = get_dispatcher(), EventRecorder(), SpanRecorder()
    root.add_event_handler(events)
    root.add_span_handler(spans)
    texts: list[str] = []
    try:
        yield texts
    finally:
        root.event_handlers.remove(events)
        root.span_handlers.remove(spans)
        texts += [*events.texts, *spans.texts]


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeServer]:
    with FakeServer(
        lambda _request: json_reply({"error": "no request was expected"}, 400)
    ) as server:
        yield server


@pytest.fixture
def server(_server: FakeServer) -> FakeServer:
    """Return a server that records requests and responds with an error."""
    _server.requests.clear()
    return _server


def create(kind: Any, server: FakeServer, **more: Any) -> Any:
    return kind(api_token=TOKEN, base_url=server.base_url, max_retries=0, **more)


def rejected(
    server: FakeServer,
    name: str,
    call: Callable[[], Any],
    *,
    files: tuple[str, ...] = PACKAGE_FILES,
) -> UsageError:
    """Check that a call is rejected before a request, event or span, and return the error."""
    with observed() as texts:
        error = check_rejected(server, name, call, files)
    assert CANARY not in "".join(texts)
    return error


# --- constructors --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@each_case(OPTIONS)
def test_constructors_reject_credentials(
    server: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """Credentials are rejected as arguments, in ``additional_kwargs`` and by ``from_dict``."""
    error = rejected(server, name, lambda: create(kind, server, **options))
    assert "api_token" in str(error)
    if kind is not XAIImageGenerator:
        rejected(server, name, lambda: create(kind, server, additional_kwargs=options))
        stored = {**create(kind, server).to_dict(), **options}
        rejected(server, name, lambda: kind.from_dict(stored, api_token=TOKEN))


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_other_unknown_options_are_accepted(server: FakeServer, kind: Any) -> None:
    """Other unknown arguments become part of ``additional_kwargs``."""
    options = {"made_up": "at_least_once", "stop_token_ids": [1], "access_token": None}
    with pytest.warns(UserWarning, match="unknown parameter"):
        component = create(kind, server, **options)
    assert component.additional_kwargs == {"made_up": "at_least_once", "stop_token_ids": [1]}


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_assigned_fields_reject_credentials(server: FakeServer, kind: Any) -> None:
    """The field keeps its value, so that the ``repr`` of the component has no token."""
    component = create(kind, server)
    for name in NAME_OPTIONS & kind.model_fields.keys():
        before = getattr(component, name)
        for value in (CANARY, [CANARY], {"effort": CANARY}):
            rejected(server, name, partial(setattr, component, name, value))
            rejected(server, name, partial(component.model_copy, update={name: value}))
        assert getattr(component, name) == before
    assert CANARY not in repr(component)


@pytest.mark.parametrize("kind", ALL)
def test_a_token_is_rejected_as_a_model_name(server: FakeServer, kind: Any) -> None:
    """A token as the positional argument, which is the model's name, is rejected."""
    field = "model_name" if kind is XAILowCodeEmbedding else "model"
    connection = {"api_token": TOKEN, "base_url": server.base_url}
    rejected(server, field, lambda: kind(CANARY, **connection))


# --- calls ---------------------------------------------------------------------------------------


class City(BaseModel):
    name: str


HELLO = [ChatMessage("Hello")]
PROMPT = PromptTemplate("The capital of {country}, with {token}?")


def now() -> str:
    """Return the time."""
    return "noon"


async def _collect(stream: Any) -> list[Any]:
    return [item async for item in await stream]


Call = Callable[[Any, dict[str, Any]], Any]
CALLS: dict[str, Call] = {
    "chat": lambda llm, options: llm.chat(HELLO, **options),
    "achat": lambda llm, options: asyncio.run(llm.achat(HELLO, **options)),
    "stream_chat": lambda llm, options: list(llm.stream_chat(messages=HELLO, **options)),
    "astream_chat": lambda llm, options: asyncio.run(_collect(llm.astream_chat(HELLO, **options))),
    "complete": lambda llm, options: llm.complete("Hello", **options),
    "acomplete": lambda llm, options: asyncio.run(llm.acomplete("Hello", **options)),
    "stream_complete": lambda llm, options: list(llm.stream_complete("Hello", **options)),
    "astream_complete": lambda llm, options: asyncio.run(
        _collect(llm.astream_complete("Hello", **options))
    ),
    "chat_with_tools": lambda llm, options: llm.chat_with_tools(
        [FunctionTool.from_defaults(now)], "Hello", **options
    ),
    "astream_chat_with_tools": lambda llm, options: asyncio.run(
        _collect(llm.astream_chat_with_tools([FunctionTool.from_defaults(now)], "Hello", **options))
    ),
    "predict_and_call": lambda llm, options: llm.predict_and_call(
        [FunctionTool.from_defaults(now)], "Hello", **options
    ),
    "structured_predict": lambda llm, options: llm.structured_predict(
        City, PROMPT, options, country="France", token="x"
    ),
    "astructured_predict": lambda llm, options: asyncio.run(
        llm.astructured_predict(City, PROMPT, llm_kwargs=options, country="France", token="x")
    ),
    "stream_structured_predict": lambda llm, options: list(
        llm.stream_structured_predict(City, PROMPT, options, country="France", token="x")
    ),
    "astream_structured_predict": lambda llm, options: asyncio.run(
        _collect(llm.astream_structured_predict(City, PROMPT, options, country="France", token="x"))
    ),
}


@pytest.mark.parametrize("method", CALLS)
def test_calls_reject_credentials(server: FakeServer, method: str) -> None:
    """The error is raised before an event or span starts, and before anything is sent."""
    llm = create(XAILowCode, server)
    for options, name in LLAMA_INDEX_CALL_OPTIONS:
        rejected(server, name, partial(CALLS[method], llm, dict(options)))


@pytest.mark.parametrize("method", CALLS)
def test_changed_options_are_checked_by_each_call(server: FakeServer, method: str) -> None:
    """Credentials that were put into ``additional_kwargs`` later are rejected by each call."""
    llm = create(XAILowCode, server)
    llm.additional_kwargs["api_key"] = CANARY
    with observed() as texts, pytest.raises(UsageError, match=r"^api_key: ") as caught:
        CALLS[method](llm, {})
    assert CANARY not in f"{caught.value} {caught.value!r}"
    assert CANARY not in "".join(texts)
    assert server.requests == []


def test_methods_of_subclasses_are_guarded(server: FakeServer) -> None:
    """Overridden methods of a subclass are guarded, outside their spans."""

    class Own(XAILowCode):
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            raise AssertionError(messages, kwargs)

    llm = create(Own, server)
    rejected(server, "token", lambda: llm.chat(HELLO, token=CANARY))
    with observed() as texts, pytest.raises(AssertionError):
        llm.chat(HELLO, top_p=0.5)
    assert "top_p" in "".join(texts)


def test_spans_and_signatures_are_preserved(gateway: Any, llm: XAILowCode) -> None:
    """The guard preserves spans, docstrings and coroutine functions."""
    with observed() as texts:
        assert llm.chat(HELLO, top_p=0.5).message.content
        assert asyncio.run(llm.acomplete("Hello", top_p=0.5)).text
    spans = " ".join(text[:99] for text in texts if "top_p" in text)
    assert re.search(r"XAILowCode\.chat-\S+ of XAILowCode: ", spans)
    assert re.search(r"XAILowCode\.acomplete-\S+ of XAILowCode: ", spans)
    assert gateway.requests[-1].body["top_p"] == 0.5
    assert "Send a conversation" in str(XAILowCode.chat.__doc__)
    assert asyncio.iscoroutinefunction(llm.achat)
    assert not asyncio.iscoroutinefunction(llm.chat)


def test_template_variables_are_not_options(gateway: Any, llm: XAILowCode) -> None:
    """Template variables may have names of credentials."""
    assert llm.predict(PROMPT, country="France", token=TOKEN)
    assert llm.structured_predict(City, PROMPT, country="France", token=TOKEN).name
    assert TOKEN in json.dumps(gateway.requests[-1].body)


def test_other_options_are_accepted(gateway: Any, model: Any) -> None:
    """Similar names, and credentials of an MCP server, are accepted."""
    tool = mcp("https://mcp.example", "museum", authorization=f"Bearer {CANARY}")
    llm = model(additional_kwargs={"stop_token_ids": [1]}, server_tools=[tool])
    with pytest.warns(UserWarning, match="unknown parameter 'keywords'"):
        assert llm.chat(
            HELLO, keywords=["a"], user="at_home", prompt_cache_key="xai-docs"
        ).message.content
    body = gateway.requests[-1].body
    assert (body["stop_token_ids"], body["keywords"], body["user"]) == ([1], ["a"], "at_home")
    assert body["tools"][0]["authorization"] == f"Bearer {CANARY}"


@each_case(LLAMA_INDEX_CALL_OPTIONS)
def test_image_requests_reject_credentials(
    server: FakeServer, options: dict[str, Any], name: str
) -> None:
    """Credentials are rejected as arguments of the generator and options of the tool."""
    generator = create(XAIImageGenerator, server)
    # Parameters of the methods remain variables of their frames.
    is_parameter = name in inspect.signature(generator.generate).parameters
    files = () if is_parameter else PACKAGE_FILES
    rejected(server, name, lambda: generator.generate("x", **options), files=files)
    rejected(server, name, lambda: asyncio.run(generator.agenerate("x", **options)), files=files)
    error = None
    try:
        XAIImageToolSpec(generator, **options).generate_image("x")
    except UsageError as caught:
        error = caught
    assert error is not None
    assert CANARY not in f"{error} {error!r}"
    assert server.requests == []


@each_case(OPTIONS)
def test_changed_options_of_embeddings_are_checked(
    server: FakeServer, options: dict[str, Any], name: str
) -> None:
    """Credentials that were put into ``additional_kwargs`` later are rejected by each call."""
    embedding = create(XAILowCodeEmbedding, server)
    embedding.additional_kwargs.update(options)
    for call in (
        lambda: embedding.get_text_embedding("x"),
        lambda: asyncio.run(embedding.aget_query_embedding("x")),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.field == name
        assert CANARY not in f"{caught.value} {caught.value!r}"
    assert server.requests == []


# --- settings of the connection ------------------------------------------------------------------


def emulator_settings(component: Any) -> Any:
    model = component._chat_model
    return (model() if callable(model) else model).settings


@pytest.mark.parametrize("kind", ALL)
def test_connection_settings_are_fields(kind: Any, tmp_path: Path) -> None:
    """Proxy, certificates, response size and timeouts are passed to the settings."""
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    component = kind(
        api_token=TOKEN,
        proxy=PROXY,
        verify=ca_file,
        max_response_bytes=5,
        timeout=[1, 2, 3, None],
        deadline=7,
        max_retries=0,
    )
    settings = emulator_settings(component)
    assert settings.proxy == SecretStr(PROXY)
    assert (settings.verify, settings.max_response_bytes) == (str(ca_file), 5)
    assert settings.httpx_timeout == httpx.Timeout(connect=1, read=2, write=3, pool=None)
    assert (settings.deadline, settings.max_retries) == (7, 0)
    if kind is XAIImageGenerator:
        assert "canary" not in repr(component)
        return
    texts = f"{component!r} {component} {component.to_dict()} {component.to_json()}"
    texts += f"{component.model_dump()} {component.model_dump_json()} {component.to_payload()}"
    assert "canary" not in texts
    assert "proxy" not in texts
    back = kind.from_dict(json.loads(component.to_json()), api_token=TOKEN, proxy=PROXY)
    for copied in (
        back,
        pickle.loads(pickle.dumps(component)),  # noqa: S301 - just written
        copy.deepcopy(component),
    ):
        assert copied.proxy == SecretStr(PROXY)
        assert emulator_settings(copied) == settings


@pytest.mark.parametrize("kind", ALL)
@for_each(("options", "name"), INVALID_SETTINGS)
@pytest.mark.filterwarnings("ignore:verify=False")
def test_invalid_settings_are_rejected(kind: Any, options: dict[str, Any], name: str) -> None:
    """The error is raised by the constructor and does not contain the value."""
    with pytest.raises(UsageError) as caught:
        kind(api_token=TOKEN, **options)
    assert caught.value.field == name
    assert "canary" not in f"{caught.value} {caught.value!r} {caught.value.__context__}"


def test_invalid_assigned_settings_are_rejected_by_the_call(server: FakeServer) -> None:
    """Assigned fields are validated by the next call."""
    for name, wrong in (("timeout", "soon"), ("verify", "/no/such/file"), ("http_client", 5)):
        llm = create(XAILowCode, server)
        setattr(llm, name, wrong)
        with pytest.raises(UsageError) as caught:
            llm.chat(HELLO)
        assert caught.value.field == name
    assert server.requests == []


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_a_tls_context_is_shared_and_not_pickled(kind: Any) -> None:
    """Copies share the context; dumps omit it; pickling raises an error."""
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    component = kind(api_token=TOKEN, verify=own)
    assert emulator_settings(component).verify is own
    copied = copy.deepcopy(component)
    assert copied.verify is own
    assert emulator_settings(copied).verify is own
    with pytest.raises(UsageError, match=r"^verify: an ssl\.SSLContext cannot be pickled\. Give"):
        pickle.dumps(component)
    assert component.to_dict()["verify"] is None
    back = kind.from_dict(json.loads(component.to_json()), api_token=TOKEN)
    assert emulator_settings(back).verify is True


def test_disabled_verification_warns_once(gateway: Any, model: Any) -> None:
    """One warning for each model, none for its calls and copies."""
    with pytest.warns(UserWarning, match=r"^verify=False: ") as caught:
        llm = model(verify=False)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert llm.chat(HELLO).message.content
        assert copy.deepcopy(llm).chat(HELLO).message.content
        pickle.loads(pickle.dumps(llm))  # noqa: S301 - just written
    assert len(gateway.requests) == 2
