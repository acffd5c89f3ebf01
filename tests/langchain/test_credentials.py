"""Credentials passed as unknown arguments are refused with an error that names the argument.

Nothing is sent, and the token is in no error, no trace, no print and no variable of our frames. The
settings of the connection that hold secrets themselves are here too.
"""

import asyncio
import copy
import pickle
import ssl
import traceback
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
from langsmith._internal._serde import dumps_json
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
from tests.core.leaks import render_variable
from xai_lowcode._internal.credentials import NAME_OPTIONS
from xai_lowcode.errors import UsageError

TOKEN = "at_r" + "0" * 32
CANARY = "at_canary-of=the&mine-0815"
OURS = (str(Path(langchain_xai_lowcode.__file__).parent), "/xai_lowcode/")

MODELS = [ChatXAILowCode]
ALL = [*MODELS, XAILowCodeEmbeddings, XAIImageGenerator, XAIImageGenerationTool]

# Options with the canary, and the name that the error is to have.
OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"token": CANARY}, "token"),
    ({"access_token": CANARY}, "access_token"),
    ({"lowcodeapi_api_token": CANARY}, "lowcodeapi_api_token"),
    ({"accessToken": CANARY}, "accessToken"),
    ({"openai_api_key": CANARY}, "openai_api_key"),
    ({"headers": {"Authorization": f"Bearer {CANARY}"}}, "headers"),
    ({"extra_headers": {"x": CANARY}}, "extra_headers"),
    ({"default_headers": {"x": CANARY}}, "default_headers"),
    ({"cookie": CANARY}, "cookie"),
    ({"password": "sesame"}, "password"),
    ({"made_up": CANARY}, "made_up"),
    ({"made_up": {"deep": [{"down": f"Bearer {CANARY}"}]}}, "made_up"),
    ({"made_up": SecretStr(CANARY)}, "made_up"),
    # Options with a field of their own, whose value is a name or an id.
    *(({name: CANARY}, name) for name in sorted(NAME_OPTIONS)),
    ({"include": ["x", CANARY]}, "include"),
    ({"reasoning": {"effort": CANARY}}, "reasoning"),
    ({"user": f"Bearer {CANARY}"}, "user"),
    ({"model": SecretStr(CANARY)}, "model"),
]
# Given with a call, these are no fields either.
IN_CALLS: list[tuple[dict[str, Any], str]] = [
    *OPTIONS,
    ({"api_token": CANARY}, "api_token"),
    ({"api_key": CANARY}, "api_key"),
    ({"extra_body": {"api_key": CANARY}}, "api_key"),
    ({"extra_body": {"made_up": CANARY}}, "made_up"),
    ({"model_kwargs": {"token": CANARY}}, "token"),
]


class Bin:
    """Stands in for LangSmith's client: keeps what would be sent."""

    tracing_mode = "langsmith"

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def create_run(self, *args: Any, **run: Any) -> None:
        self.kept.append(dumps_json([args, run]))

    update_run = create_run

    def flush(self) -> None:
        """Nothing waits."""


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeServer]:
    with FakeServer(
        lambda _request: json_reply({"error": "nothing was to be sent"}, 400)
    ) as server:
        yield server


@pytest.fixture
def world(_server: FakeServer) -> FakeServer:
    """A server that answers nothing that could be used, and keeps what comes."""
    _server.requests.clear()
    return _server


def made(kind: Any, world: FakeServer, **more: Any) -> Any:
    return kind(api_token=TOKEN, base_url=world.base_url, max_retries=0, **more)


def refused(world: FakeServer, name: str, act: Callable[[], Any]) -> UsageError:
    """The error of what is refused: it has no canary in it, and nothing came to the server."""
    with pytest.raises(UsageError) as refusal:
        act()
    error = refusal.value
    assert error.field == name
    assert str(error).startswith(f"{name}: ")
    chain: BaseException | None = error
    while chain is not None:
        assert CANARY not in f"{chain} {chain!r} {vars(chain)}"
        chain = chain.__cause__ or chain.__context__
    assert CANARY not in "".join(traceback.format_exception(error))
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if any(place in frame.f_code.co_filename for place in OURS):
            for variable, value in frame.f_locals.items():
                assert CANARY not in render_variable(variable, value), frame.f_code.co_qualname
    assert world.requests == []
    return error


# --- constructors --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("options", "name"), OPTIONS, ids=lambda one: str(one)[:30])
def test_no_constructor_takes_a_credential_as_an_option(
    world: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """As an argument it is refused before anything is warned of, also where others are ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        error = refused(world, name, lambda: made(kind, world, **options))
        assert "api_token" in str(error)
        arguments = {"api_token": TOKEN, "base_url": world.base_url, **options}
        refused(world, name, lambda: kind.model_validate(arguments))


@pytest.mark.parametrize("kind", [*MODELS, XAILowCodeEmbeddings])
@pytest.mark.parametrize(("options", "name"), OPTIONS, ids=lambda one: str(one)[:30])
def test_model_kwargs_hold_no_credential(
    world: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """Neither from the beginning nor put in later."""
    refused(world, name, lambda: made(kind, world, model_kwargs=options))
    if kind is not XAILowCodeEmbeddings:
        refused(world, name, lambda: made(kind, world, extra_body=options))


def test_hints_for_arguments_of_other_models(world: FakeServer) -> None:
    """What another argument of ours does is said, where a rule would not know it."""
    error = refused(world, "openai_proxy", lambda: made(ChatXAILowCode, world, openai_proxy="x"))
    assert "Pass the URL of the proxy as proxy." in str(error)
    error = refused(world, "xai_api_key", lambda: made(ChatXAILowCode, world, xai_api_key=CANARY))
    assert "is in the LowCodeAPI account" in str(error)


def test_unknown_options_are_still_warned_of(world: FakeServer) -> None:
    """Others go on as they did."""
    with pytest.warns(UserWarning, match="made_up"):
        llm = made(ChatXAILowCode, world, made_up="at_least_once", max_tokens=5)
    assert llm.model_kwargs == {"made_up": "at_least_once"}


@pytest.mark.parametrize("kind", ALL)
def test_no_field_is_assigned_a_token(world: FakeServer, kind: Any) -> None:
    """The field keeps its value, so that no print of the component can show the token."""
    component = made(kind, world)
    for name in NAME_OPTIONS & kind.model_fields.keys():
        before = getattr(component, name)
        for value in (CANARY, [CANARY], {"effort": CANARY}):
            refused(world, name, partial(setattr, component, name, value))
        assert getattr(component, name) == before
    assert CANARY not in repr(component)


@pytest.mark.parametrize("kind", ALL)
def test_a_token_is_no_name_of_a_model(world: FakeServer, kind: Any) -> None:
    """As the only positional argument, which is the model's name."""
    field = "model_name" if kind is None else "model"
    connection = {"api_token": TOKEN, "base_url": world.base_url}
    refused(world, field, lambda: kind(CANARY, **connection))


# --- calls ---------------------------------------------------------------------------------------

Ask = Callable[[Any, Any, dict[str, Any]], Any]


async def _collected(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


CALLS: dict[str, Ask] = {
    "invoke": lambda llm, config, options: llm.invoke("x", config, **options),
    "ainvoke": lambda llm, config, options: asyncio.run(llm.ainvoke("x", config, **options)),
    "stream": lambda llm, config, options: list(llm.stream("x", config, **options)),
    "astream": lambda llm, config, options: asyncio.run(
        _collected(llm.astream("x", config, **options))
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
@pytest.mark.parametrize("way", CALLS)
@for_each(("options", "name"), IN_CALLS)
def test_no_call_takes_a_credential_as_an_option(
    world: FakeServer, kind: Any, way: str, options: dict[str, Any], name: str
) -> None:
    """It is refused before a tracer is notified, and before anything is sent."""
    kept: Any = Bin()
    tracer = LangChainTracer(client=kept, project_name="tests")
    llm = made(kind, world)
    refused(world, name, lambda: CALLS[way](llm, {"callbacks": [tracer]}, options))
    tracer.wait_for_futures()
    assert not [run for run in kept.kept if CANARY.encode() in run]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream", "batch"])
@pytest.mark.parametrize("field", ["model_kwargs", "extra_body"])
def test_options_that_were_changed_later_are_judged_with_each_call(
    world: FakeServer, kind: Any, way: str, field: str
) -> None:
    """A dict of the model that somebody put a token into leads to no request and no trace."""
    kept: Any = Bin()
    tracer = LangChainTracer(client=kept, project_name="tests")
    llm = made(kind, world)
    setattr(llm, field, {"api_key": CANARY})
    with pytest.raises(UsageError, match=r"^api_key: ") as refusal:
        CALLS[way](llm, {"callbacks": [tracer]}, {})
    tracer.wait_for_futures()
    assert CANARY not in f"{refusal.value} {refusal.value!r} {kept.kept}"
    assert world.requests == []


@pytest.mark.parametrize("kind", [*MODELS, XAIImageGenerator])
@pytest.mark.parametrize(("options", "name"), IN_CALLS, ids=lambda one: str(one)[:30])
def test_nothing_binds_a_credential(
    world: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """Our models refuse it when it is bound, so that no print of a binding can show it."""
    llm = made(kind, world)
    refused(world, name, lambda: llm.bind(**options))
    if kind is ChatXAILowCode:
        refused(world, name, lambda: llm.bind_tools([], **options))
        refused(world, name, lambda: llm.with_structured_output({"title": "A"}, **options))


@pytest.mark.parametrize("kind", MODELS)
def test_configurable_fields_hold_no_credential(world: FakeServer, kind: Any) -> None:
    """A model that is made anew for a call is checked as any other."""
    field = ConfigurableField(id="more")
    llm = made(kind, world).configurable_fields(model_kwargs=field)
    config: Any = {"configurable": {"more": {"api_key": CANARY}}}
    refused(world, "api_key", lambda: llm.invoke("x", config))
    refused(world, "api_key", lambda: llm.with_config(config).invoke("x"))


def test_direct_calls_of_generate_are_judged(world: FakeServer) -> None:
    """Also where LangChain asks for no parameters before it begins."""
    kept: Any = Bin()
    tracer = LangChainTracer(client=kept, project_name="tests")
    with pytest.raises(UsageError, match=r"^api_key: ") as refusal:
        made(ChatXAILowCode, world).generate([[]], callbacks=[tracer], api_key=CANARY)
    tracer.wait_for_futures()
    assert CANARY not in f"{refusal.value} {refusal.value!r} {kept.kept}"
    assert world.requests == []


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "batch", "as input"])
@for_each(("options", "name"), IN_CALLS)
def test_no_order_of_images_takes_a_credential(
    world: FakeServer, way: str, options: dict[str, Any], name: str
) -> None:
    """Neither as an option of a call nor in the dict that is its input."""
    kept: Any = Bin()
    tracer = LangChainTracer(client=kept, project_name="tests")
    config: Any = {"callbacks": [tracer]}
    generator = made(XAIImageGenerator, world)
    if way == "as input":
        refused(world, name, lambda: generator.invoke({"prompt": "x", **options}, config))
    else:
        refused(world, name, lambda: CALLS[way](generator, config, options))
    tracer.wait_for_futures()
    assert kept.kept == []


@pytest.mark.parametrize(("options", "name"), OPTIONS, ids=lambda one: str(one)[:30])
def test_embeddings_send_no_credential(
    world: FakeServer, options: dict[str, Any], name: str
) -> None:
    """A dict of theirs that was changed later is judged as well."""
    embeddings = made(XAILowCodeEmbeddings, world)
    embeddings.model_kwargs.update(options)
    for act in (
        lambda: embeddings.embed_documents(["x"]),
        lambda: asyncio.run(embeddings.aembed_query("x")),
    ):
        with pytest.raises(UsageError) as refusal:
            act()
        assert refusal.value.field == name
        assert CANARY not in f"{refusal.value} {refusal.value!r}"
    assert world.requests == []


@pytest.mark.parametrize("kind", MODELS)
def test_what_is_no_credential_goes_on(gateway: Any, kind: Any) -> None:
    """Options with words that only look like one, and a server tool with keys of its own."""
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

PROXY = "http://user:canary-of-a-password@proxy.example:3128"


def context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.mark.parametrize("kind", ALL)
def test_connection_settings_are_fields(kind: Any, tmp_path: Path) -> None:
    """Proxy, certificates, the size of a response and timeouts reach the settings."""
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
    told = f"{component!r} {component} {component.model_dump()}"
    told += component.model_dump_json(exclude={"args_schema"}) + dumps(component)
    assert "canary" not in told
    assert "proxy" not in component.model_dump()
    assert "proxy" not in f"{component!r} {dumps(component)}"
    for travelled in (
        pickle.loads(pickle.dumps(component)),  # noqa: S301 - just written
        copy.deepcopy(component),
    ):
        assert travelled.proxy == component.proxy
        assert travelled._gateway.settings == settings


@pytest.mark.parametrize("kind", ALL)
@for_each(
    ("options", "name"),
    [
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": (5,)}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
        ({"request_timeout": -1}, "timeout"),
        ({"deadline": "5"}, "deadline"),
        ({"deadline": True}, "deadline"),
        ({"deadline": float("inf")}, "deadline"),
        ({"max_retries": "3"}, "max_retries"),
        ({"max_retries": True}, "max_retries"),
        ({"max_retries": -1}, "max_retries"),
        ({"max_response_bytes": 0}, "max_response_bytes"),
        ({"max_response_bytes": True}, "max_response_bytes"),
        ({"verify": "/no/such/file"}, "verify"),
        ({"verify": 1}, "verify"),
        ({"proxy": "ftp://user:canary@proxy"}, "proxy"),
        ({"proxy": httpx.Proxy(PROXY)}, "proxy"),
        ({"base_url": "https://a..b/xai"}, "base_url"),
        ({"http_client": "http://user:canary@proxy"}, "http_client"),
        ({"http_client": httpx.Client}, "http_client"),
        ({"http_client": httpx.AsyncClient()}, "http_client"),
        ({"http_async_client": httpx.Client()}, "http_async_client"),
        ({"http_client": httpx.Client(), "proxy": PROXY}, "proxy"),
        ({"http_async_client": httpx.AsyncClient(), "verify": False}, "verify"),
    ],
)
@pytest.mark.filterwarnings("ignore:verify=False")
def test_impossible_settings_are_refused_by_name(
    kind: Any, options: dict[str, Any], name: str
) -> None:
    """When the component is made, with LangChain's class too, and without what was given."""
    with pytest.raises(UsageError) as refusal:
        kind(api_token=TOKEN, **options)
    assert refusal.value.field == name
    assert type(refusal.value).__module__ == "langchain_xai_lowcode._errors"
    assert "canary" not in f"{refusal.value} {refusal.value!r} {refusal.value.__context__}"


@pytest.mark.parametrize("kind", ALL)
def test_a_tls_context_is_shared_and_does_not_travel(kind: Any) -> None:
    """Copies use the same one; dumps go without it; pickling says what to do."""
    component = kind(api_token=TOKEN, verify=(own := context()))
    assert component._gateway.settings.verify is own
    twin = copy.deepcopy(component)
    assert twin.verify is own
    assert twin._gateway.settings.verify is own
    with pytest.raises(UsageError, match=r"^verify: an ssl\.SSLContext cannot be pickled\. Give"):
        pickle.dumps(component)
    assert component.model_dump()["verify"] is None
    assert component.model_dump_json(exclude={"args_schema"})
    if isinstance(component, ChatXAILowCode):
        assert dumpd(component)["kwargs"]["verify"] is None
        assert kind(api_token=TOKEN, verify=None)._gateway.settings.verify is True


@pytest.mark.parametrize("kind", ALL)
def test_no_verification_is_warned_of_once(kind: Any) -> None:
    """Once for each component, not for its copies and calls."""
    with pytest.warns(UserWarning, match="^verify=False: ") as caught:
        component = kind(api_token=TOKEN, verify=False)
    assert len(caught) == 1
    assert component._gateway.settings.verify is False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        copy.deepcopy(component)
        pickle.loads(pickle.dumps(component))  # noqa: S301 - just written
