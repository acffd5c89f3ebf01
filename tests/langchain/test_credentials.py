"""Credentials among options are rejected with an error that names the option.

No request is sent, and the credential is in no error, trace, ``repr`` or variable of the package's
frames. Settings of the connection that have secrets are tested here too.
"""

import asyncio
import copy
import pickle
import ssl
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from langchain_core.load import dumpd, dumps
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import ConfigurableField, RunnableBinding
from langchain_core.tracers.langchain import LangChainTracer
from pydantic import SecretStr

import langchain_xai_lowcode
from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
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
from tests.fake_langsmith import FakeLangSmithClient
from xai_lowcode._internal.credentials import NAME_OPTIONS
from xai_lowcode.errors import UsageError

PACKAGE_FILES = (str(Path(langchain_xai_lowcode.__file__).parent), "/xai_lowcode/")

MODELS = [ChatXAILowCode]
ALL = [*MODELS, XAILowCodeEmbeddings, XAIImageGenerator, XAIImageGenerationTool]

LANGCHAIN_OPTIONS = [*OPTIONS, ({"default_headers": {"x": CANARY}}, "default_headers")]
LANGCHAIN_CALL_OPTIONS = [*CALL_OPTIONS, ({"model_kwargs": {"token": CANARY}}, "token")]


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


def rejected(server: FakeServer, name: str, call: Callable[[], Any]) -> UsageError:
    """Check that a call is rejected before a request, and return the error."""
    return check_rejected(server, name, call, PACKAGE_FILES)


# --- constructors --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@each_case(LANGCHAIN_OPTIONS)
def test_constructors_reject_credentials(
    server: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """A credential as an argument is rejected before a warning, also of a tool."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = rejected(server, name, lambda: create(kind, server, **options))
        assert "api_token" in str(error)
        arguments = {"api_token": TOKEN, "base_url": server.base_url, **options}
        rejected(server, name, lambda: kind.model_validate(arguments))


@pytest.mark.parametrize("kind", [*MODELS, XAILowCodeEmbeddings])
@each_case(LANGCHAIN_OPTIONS)
def test_model_kwargs_reject_credentials(
    server: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """Credentials in `model_kwargs` and `extra_body` are rejected by the constructor."""
    rejected(server, name, lambda: create(kind, server, model_kwargs=options))
    if kind is not XAILowCodeEmbeddings:
        rejected(server, name, lambda: create(kind, server, extra_body=options))


def test_hints_for_arguments_of_other_models(server: FakeServer) -> None:
    """The error of another integration's argument names the argument to use."""
    error = rejected(
        server, "openai_proxy", lambda: create(ChatXAILowCode, server, openai_proxy="x")
    )
    assert "Pass the URL of the proxy as proxy." in str(error)
    error = rejected(
        server, "xai_api_key", lambda: create(ChatXAILowCode, server, xai_api_key=CANARY)
    )
    assert "is in the LowCodeAPI account" in str(error)


def test_other_unknown_options_warn(server: FakeServer) -> None:
    """Other unknown arguments become part of `model_kwargs`, with a warning."""
    with pytest.warns(UserWarning, match="made_up"):
        llm = create(ChatXAILowCode, server, made_up="at_least_once", max_tokens=5)
    assert llm.model_kwargs == {"made_up": "at_least_once"}


@pytest.mark.parametrize("kind", ALL)
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
    field = "model_name" if kind is None else "model"
    connection = {"api_token": TOKEN, "base_url": server.base_url}
    rejected(server, field, lambda: kind(CANARY, **connection))


# --- calls ---------------------------------------------------------------------------------------

Call = Callable[[Any, Any, dict[str, Any]], Any]


async def _collect(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


CALLS: dict[str, Call] = {
    "invoke": lambda llm, config, options: llm.invoke("x", config, **options),
    "ainvoke": lambda llm, config, options: asyncio.run(llm.ainvoke("x", config, **options)),
    "stream": lambda llm, config, options: list(llm.stream("x", config, **options)),
    "astream": lambda llm, config, options: asyncio.run(
        _collect(llm.astream("x", config, **options))
    ),
    "batch": lambda llm, config, options: llm.batch(["x", "y"], config, **options),
    "abatch": lambda llm, config, options: asyncio.run(llm.abatch(["x", "y"], config, **options)),
    "bound": lambda llm, config, options: RunnableBinding(bound=llm, kwargs=options).invoke(
        "x", config
    ),
    "bound twice": lambda llm, config, options: (
        llm.bind(temperature=0.1).bind(**options).invoke("x", config)
    ),
    "in a chain": lambda llm, config, options: (
        (ChatPromptTemplate.from_messages([("human", "{x}")]) | llm.bind(seed=1).bind(**options))
        .with_config(tags=["a"])
        .invoke({"x": "x"}, config)
    ),
    "retried": lambda llm, config, options: (
        RunnableBinding(bound=llm, kwargs=options)
        .with_retry(stop_after_attempt=2, wait_exponential_jitter=False)
        .invoke("x", config)
    ),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", CALLS)
@for_each(("options", "name"), LANGCHAIN_CALL_OPTIONS)
def test_calls_reject_credentials(
    server: FakeServer, kind: Any, method: str, options: dict[str, Any], name: str
) -> None:
    """The error is raised before a tracer is notified, and before a request."""
    client: Any = FakeLangSmithClient()
    tracer = LangChainTracer(client=client, project_name="tests")
    llm = create(kind, server)
    rejected(server, name, lambda: CALLS[method](llm, {"callbacks": [tracer]}, options))
    tracer.wait_for_futures()
    assert not [run for run in client.runs if CANARY.encode() in run]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "astream", "batch"])
@pytest.mark.parametrize("field", ["model_kwargs", "extra_body"])
def test_changed_options_are_checked_by_each_call(
    server: FakeServer, kind: Any, method: str, field: str
) -> None:
    """Credentials that were put into the model's dicts later are in no request and no trace."""
    client: Any = FakeLangSmithClient()
    tracer = LangChainTracer(client=client, project_name="tests")
    llm = create(kind, server)
    setattr(llm, field, {"api_key": CANARY})
    with pytest.raises(UsageError, match=r"^api_key: ") as caught:
        CALLS[method](llm, {"callbacks": [tracer]}, {})
    tracer.wait_for_futures()
    assert CANARY not in f"{caught.value} {caught.value!r} {client.runs}"
    assert server.requests == []


@pytest.mark.parametrize("kind", [*MODELS, XAIImageGenerator])
@each_case(LANGCHAIN_CALL_OPTIONS)
def test_bindings_reject_credentials(
    server: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """The error is raised when the option is bound, so that no ``repr`` of a binding shows it."""
    llm = create(kind, server)
    rejected(server, name, lambda: llm.bind(**options))
    if kind is ChatXAILowCode:
        rejected(server, name, lambda: llm.bind_tools([], **options))
        rejected(server, name, lambda: llm.with_structured_output({"title": "A"}, **options))


@pytest.mark.parametrize("kind", MODELS)
def test_configurable_fields_reject_credentials(server: FakeServer, kind: Any) -> None:
    """A model that is created for a configuration is checked as any other."""
    field = ConfigurableField(id="more")
    llm = create(kind, server).configurable_fields(model_kwargs=field)
    config: Any = {"configurable": {"more": {"api_key": CANARY}}}
    rejected(server, "api_key", lambda: llm.invoke("x", config))
    rejected(server, "api_key", lambda: llm.with_config(config).invoke("x"))


def test_generate_rejects_credentials(server: FakeServer) -> None:
    """``generate`` without messages, for which LangChain reads no parameters, is checked too."""
    client: Any = FakeLangSmithClient()
    tracer = LangChainTracer(client=client, project_name="tests")
    with pytest.raises(UsageError, match=r"^api_key: ") as caught:
        create(ChatXAILowCode, server).generate([[]], callbacks=[tracer], api_key=CANARY)
    tracer.wait_for_futures()
    assert CANARY not in f"{caught.value} {caught.value!r} {client.runs}"
    assert server.requests == []


@pytest.mark.parametrize("method", ["invoke", "ainvoke", "stream", "batch", "as input"])
@for_each(("options", "name"), LANGCHAIN_CALL_OPTIONS)
def test_image_requests_reject_credentials(
    server: FakeServer, method: str, options: dict[str, Any], name: str
) -> None:
    """Credentials are rejected as options of a call and in the input dict."""
    client: Any = FakeLangSmithClient()
    tracer = LangChainTracer(client=client, project_name="tests")
    config: Any = {"callbacks": [tracer]}
    generator = create(XAIImageGenerator, server)
    if method == "as input":
        rejected(server, name, lambda: generator.invoke({"prompt": "x", **options}, config))
    else:
        rejected(server, name, lambda: CALLS[method](generator, config, options))
    tracer.wait_for_futures()
    assert client.runs == []


@each_case(LANGCHAIN_OPTIONS)
def test_changed_options_of_embeddings_are_checked(
    server: FakeServer, options: dict[str, Any], name: str
) -> None:
    """Credentials that were put into `model_kwargs` later are rejected by each call."""
    embeddings = create(XAILowCodeEmbeddings, server)
    embeddings.model_kwargs.update(options)
    for call in (
        lambda: embeddings.embed_documents(["x"]),
        lambda: asyncio.run(embeddings.aembed_query("x")),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.field == name
        assert CANARY not in f"{caught.value} {caught.value!r}"
    assert server.requests == []


@pytest.mark.parametrize("kind", MODELS)
def test_other_options_are_accepted(gateway: Any, kind: Any) -> None:
    """Similar names, and credentials of an MCP server, are accepted."""
    llm = kind(model_kwargs={"stop_token_ids": [1]}, extra_body={"tokenizer": "x"})
    tool = mcp(
        "https://mcp.example", "museum", authorization=f"Bearer {CANARY}", headers={"k": "v"}
    )
    with pytest.warns(UserWarning, match="unknown parameter 'keywords'"):
        assert llm.invoke("x", keywords=["a"], user="at_home")
    if kind is ChatXAILowCode:
        assert llm.bind_tools([tool]).invoke("x", prompt_cache_key="docs")
        sent = gateway.requests[-1].body["tools"][0]
        assert sent["authorization"] == f"Bearer {CANARY}"
    body = gateway.requests[0].body
    assert (body["stop_token_ids"], body["tokenizer"], body["keywords"]) == ([1], "x", ["a"])


# --- settings of the connection ------------------------------------------------------------------


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


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
    settings = component._gateway.settings
    assert settings.proxy == component.proxy == SecretStr(PROXY)
    assert settings.verify == component.verify == str(ca_file)
    assert settings.max_response_bytes == component.max_response_bytes == 5
    assert settings.httpx_timeout == httpx.Timeout(connect=1, read=2, write=3, pool=None)
    assert (settings.deadline, settings.max_retries) == (7, 0)
    text = f"{component!r} {component} {component.model_dump()}"
    text += component.model_dump_json(exclude={"args_schema"}) + dumps(component)
    assert "canary" not in text
    assert "proxy" not in component.model_dump()
    assert "proxy" not in f"{component!r} {dumps(component)}"
    for copied in (
        pickle.loads(pickle.dumps(component)),  # noqa: S301 - just written
        copy.deepcopy(component),
    ):
        assert copied.proxy == component.proxy
        assert copied._gateway.settings == settings


@for_each("kind", ALL)
@for_each(("options", "name"), [*INVALID_SETTINGS, ({"request_timeout": -1}, "timeout")])
@pytest.mark.filterwarnings("ignore:verify=False")
def test_invalid_settings_are_rejected(kind: Any, options: dict[str, Any], name: str) -> None:
    """The constructor raises an error of this package and LangChain, without the value."""
    with pytest.raises(UsageError) as caught:
        kind(api_token=TOKEN, **options)
    assert caught.value.field == name
    assert type(caught.value).__module__ == "langchain_xai_lowcode._errors"
    assert "canary" not in f"{caught.value} {caught.value!r} {caught.value.__context__}"


@for_each("kind", ALL)
def test_a_tls_context_is_shared_and_not_pickled(kind: Any) -> None:
    """Copies share the context; dumps omit it; pickling raises an error with a hint."""
    component = kind(api_token=TOKEN, verify=(own := context()))
    assert component._gateway.settings.verify is own
    copied = copy.deepcopy(component)
    assert copied.verify is own
    assert copied._gateway.settings.verify is own
    with pytest.raises(UsageError, match=r"^verify: an ssl\.SSLContext cannot be pickled\. Give"):
        pickle.dumps(component)
    assert component.model_dump()["verify"] is None
    assert component.model_dump_json(exclude={"args_schema"})
    if isinstance(component, ChatXAILowCode):
        assert dumpd(component)["kwargs"]["verify"] is None
        assert kind(api_token=TOKEN, verify=None)._gateway.settings.verify is True


@for_each("kind", ALL)
def test_disabled_verification_warns_once(kind: Any) -> None:
    """Each component warns once, its copies and calls do not."""
    with pytest.warns(UserWarning, match="^verify=False: ") as caught:
        component = kind(api_token=TOKEN, verify=False)
    assert len(caught) == 1
    assert component._gateway.settings.verify is False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy.deepcopy(component)
        pickle.loads(pickle.dumps(component))  # noqa: S301 - just written
