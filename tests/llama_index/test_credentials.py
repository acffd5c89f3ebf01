"""Credentials among options are refused by name, wherever they are passed.

Nothing is sent, and the credential is in no error, event, span, repr or variable of our frames.
Settings that may contain secrets are tested here too.
"""

import asyncio
import copy
import inspect
import json
import pickle
import re
import ssl
import traceback
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
from tests.core.leaks import render_variable
from xai_lowcode._internal.credentials import NAME_OPTIONS
from xai_lowcode.errors import UsageError

TOKEN = "at_r" + "0" * 32
CANARY = "at_canary-of=the&mine-0815"
OURS = (str(Path(llama_index_xai_lowcode.__file__).parent), "/xai_lowcode/")
ALL = [XAILowCode, XAILowCodeEmbedding, XAIImageGenerator]

# Options with the canary, and the name that the error is to have.
OPTIONS: list[tuple[dict[str, Any], str]] = [
    ({"token": CANARY}, "token"),
    ({"access_token": CANARY}, "access_token"),
    ({"lowcodeapi_api_token": CANARY}, "lowcodeapi_api_token"),
    ({"accessToken": CANARY}, "accessToken"),
    ({"openai_api_key": CANARY}, "openai_api_key"),
    ({"headers": {"Authorization": f"Bearer {CANARY}"}}, "headers"),
    ({"extra_headers": {"x": CANARY}}, "extra_headers"),
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
    ({"default_headers": {"x": CANARY}}, "default_headers"),
    ({"extra_body": {"api_key": CANARY}}, "api_key"),
    ({"extra_body": {"made_up": CANARY}}, "made_up"),
    ({"additional_kwargs": {"token": CANARY}}, "token"),
]


class Events(BaseEventHandler):
    """Records events as JSON and as repr."""

    kept: list[str] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.kept.append(f"{event.model_dump_json(fallback=repr)} {event!r}")


class Spans(SimpleSpanHandler):
    """Records arguments and errors of spans."""

    kept: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **more: Any) -> Any:
        self.kept.append(
            f"{id_} of {type(instance).__name__}: {bound_args!r} {instance!r} {more!r}"
        )
        return super().new_span(id_, bound_args, instance, **more)

    def prepare_to_drop_span(self, id_: str, *args: Any, **more: Any) -> Any:
        self.kept.append(f"{args!r} {more!r}")
        return super().prepare_to_drop_span(id_, *args, **more)


@contextmanager
def observed() -> Iterator[list[str]]:
    """Collect what LlamaIndex's event and span handlers receive."""
    root, events, spans = get_dispatcher(), Events(), Spans()
    root.add_event_handler(events)
    root.add_span_handler(spans)
    told: list[str] = []
    try:
        yield told
    finally:
        root.event_handlers.remove(events)
        root.span_handlers.remove(spans)
        told += [*events.kept, *spans.kept]


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeServer]:
    with FakeServer(
        lambda _request: json_reply({"error": "nothing was to be sent"}, 400)
    ) as server:
        yield server


@pytest.fixture
def world(_server: FakeServer) -> FakeServer:
    """Return a server that records requests and responds with an error."""
    _server.requests.clear()
    return _server


def made(kind: Any, world: FakeServer, **more: Any) -> Any:
    return kind(api_token=TOKEN, base_url=world.base_url, max_retries=0, **more)


def refused(
    world: FakeServer, name: str, act: Callable[[], Any], *, ours: tuple[str, ...] = OURS
) -> UsageError:
    """Return the error of ``act``; it contains no credential, and nothing was sent."""
    with observed() as told, pytest.raises(UsageError) as refusal:
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
        if any(place in frame.f_code.co_filename for place in ours):
            for variable, value in frame.f_locals.items():
                assert CANARY not in render_variable(variable, value), frame.f_code.co_qualname
    assert CANARY not in "".join(told)
    assert world.requests == []
    return error


# --- constructors --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(("options", "name"), OPTIONS, ids=lambda one: str(one)[:30])
def test_no_constructor_takes_a_credential_as_an_option(
    world: FakeServer, kind: Any, options: dict[str, Any], name: str
) -> None:
    """As an argument, in ``additional_kwargs``, or with ``from_dict``."""
    error = refused(world, name, lambda: made(kind, world, **options))
    assert "api_token" in str(error)
    if kind is not XAIImageGenerator:
        refused(world, name, lambda: made(kind, world, additional_kwargs=options))
        stored = {**made(kind, world).to_dict(), **options}
        refused(world, name, lambda: kind.from_dict(stored, api_token=TOKEN))


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_other_unknown_options_go_on(world: FakeServer, kind: Any) -> None:
    """Other unknown arguments become part of ``additional_kwargs``."""
    options = {"made_up": "at_least_once", "stop_token_ids": [1], "access_token": None}
    with pytest.warns(UserWarning, match="unknown parameter"):
        component = made(kind, world, **options)
    assert component.additional_kwargs == {"made_up": "at_least_once", "stop_token_ids": [1]}


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
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
    field = "model_name" if kind is XAILowCodeEmbedding else "model"
    connection = {"api_token": TOKEN, "base_url": world.base_url}
    refused(world, field, lambda: kind(CANARY, **connection))


# --- calls ---------------------------------------------------------------------------------------


class City(BaseModel):
    name: str


HELLO = [ChatMessage("Hello")]
PROMPT = PromptTemplate("The capital of {country}, with {token}?")


def now() -> str:
    """Return the time."""
    return "noon"


async def _collected(opening: Any) -> list[Any]:
    return [item async for item in await opening]


Ask = Callable[[Any, dict[str, Any]], Any]
CALLS: dict[str, Ask] = {
    "chat": lambda llm, options: llm.chat(HELLO, **options),
    "achat": lambda llm, options: asyncio.run(llm.achat(HELLO, **options)),
    "stream_chat": lambda llm, options: list(llm.stream_chat(messages=HELLO, **options)),
    "astream_chat": lambda llm, options: asyncio.run(
        _collected(llm.astream_chat(HELLO, **options))
    ),
    "complete": lambda llm, options: llm.complete("Hello", **options),
    "acomplete": lambda llm, options: asyncio.run(llm.acomplete("Hello", **options)),
    "stream_complete": lambda llm, options: list(llm.stream_complete("Hello", **options)),
    "astream_complete": lambda llm, options: asyncio.run(
        _collected(llm.astream_complete("Hello", **options))
    ),
    "chat_with_tools": lambda llm, options: llm.chat_with_tools(
        [FunctionTool.from_defaults(now)], "Hello", **options
    ),
    "astream_chat_with_tools": lambda llm, options: asyncio.run(
        _collected(
            llm.astream_chat_with_tools([FunctionTool.from_defaults(now)], "Hello", **options)
        )
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
        _collected(
            llm.astream_structured_predict(City, PROMPT, options, country="France", token="x")
        )
    ),
}


@pytest.mark.parametrize("method", CALLS)
def test_no_call_takes_a_credential_as_an_option(world: FakeServer, method: str) -> None:
    """The error is raised before an event or span starts, and before anything is sent."""
    llm = made(XAILowCode, world)
    for options, name in IN_CALLS:
        refused(world, name, partial(CALLS[method], llm, dict(options)))


@pytest.mark.parametrize("method", CALLS)
def test_options_that_were_changed_later_are_judged_with_each_call(
    world: FakeServer, method: str
) -> None:
    """Credentials that were put into ``additional_kwargs`` later are refused."""
    llm = made(XAILowCode, world)
    llm.additional_kwargs["api_key"] = CANARY
    with observed() as told, pytest.raises(UsageError, match=r"^api_key: ") as refusal:
        CALLS[method](llm, {})
    assert CANARY not in f"{refusal.value} {refusal.value!r}"
    assert CANARY not in "".join(told)
    assert world.requests == []


def test_subclasses_of_users_are_no_way_round(world: FakeServer) -> None:
    """Overridden methods of a subclass are guarded, outside their spans."""

    class Own(XAILowCode):
        def chat(self, messages: Any, **kwargs: Any) -> Any:
            raise AssertionError(messages, kwargs)

    llm = made(Own, world)
    refused(world, "token", lambda: llm.chat(HELLO, token=CANARY))
    with observed() as told, pytest.raises(AssertionError):
        llm.chat(HELLO, top_p=0.5)
    assert "top_p" in "".join(told)


def test_spans_and_signatures_are_as_they_were(gateway: Any, llm: XAILowCode) -> None:
    """The guard preserves spans, docstrings and coroutine functions."""
    with observed() as told:
        assert llm.chat(HELLO, top_p=0.5).message.content
        assert asyncio.run(llm.acomplete("Hello", top_p=0.5)).text
    spans = " ".join(text[:99] for text in told if "top_p" in text)
    assert re.search(r"XAILowCode\.chat-\S+ of XAILowCode: ", spans)
    assert re.search(r"XAILowCode\.acomplete-\S+ of XAILowCode: ", spans)
    assert gateway.requests[-1].body["top_p"] == 0.5
    assert "Send a conversation" in str(XAILowCode.chat.__doc__)
    assert asyncio.iscoroutinefunction(llm.achat)
    assert not asyncio.iscoroutinefunction(llm.chat)


def test_values_for_prompts_are_no_options(gateway: Any, llm: XAILowCode) -> None:
    """Template variables may have names of credentials."""
    assert llm.predict(PROMPT, country="France", token=TOKEN)
    assert llm.structured_predict(City, PROMPT, country="France", token=TOKEN).name
    assert TOKEN in json.dumps(gateway.requests[-1].body)


def test_what_is_no_credential_goes_on(gateway: Any, model: Any) -> None:
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


@pytest.mark.parametrize(("options", "name"), IN_CALLS, ids=lambda one: str(one)[:30])
def test_no_order_of_images_takes_a_credential(
    world: FakeServer, options: dict[str, Any], name: str
) -> None:
    """Neither as an argument nor as an option of the tool."""
    painter = made(XAIImageGenerator, world)
    # Parameters of the methods remain variables of their frames.
    is_parameter = name in inspect.signature(painter.generate).parameters
    ours = () if is_parameter else OURS
    refused(world, name, lambda: painter.generate("x", **options), ours=ours)
    refused(world, name, lambda: asyncio.run(painter.agenerate("x", **options)), ours=ours)
    error = None
    try:
        XAIImageToolSpec(painter, **options).generate_image("x")
    except UsageError as refusal:
        error = refusal
    assert error is not None
    assert CANARY not in f"{error} {error!r}"
    assert world.requests == []


@pytest.mark.parametrize(("options", "name"), OPTIONS, ids=lambda one: str(one)[:30])
def test_embeddings_send_no_credential(
    world: FakeServer, options: dict[str, Any], name: str
) -> None:
    """Credentials that were put into ``additional_kwargs`` later are refused."""
    embedding = made(XAILowCodeEmbedding, world)
    embedding.additional_kwargs.update(options)
    for act in (
        lambda: embedding.get_text_embedding("x"),
        lambda: asyncio.run(embedding.aget_query_embedding("x")),
    ):
        with pytest.raises(UsageError) as refusal:
            act()
        assert refusal.value.field == name
        assert CANARY not in f"{refusal.value} {refusal.value!r}"
    assert world.requests == []


# --- settings of the connection ------------------------------------------------------------------

PROXY = "http://user:canary-of-a-password@proxy.example:3128"


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
    told = f"{component!r} {component} {component.to_dict()} {component.to_json()}"
    told += f"{component.model_dump()} {component.model_dump_json()} {component.to_payload()}"
    assert "canary" not in told
    assert "proxy" not in told
    back = kind.from_dict(json.loads(component.to_json()), api_token=TOKEN, proxy=PROXY)
    for twin in (
        back,
        pickle.loads(pickle.dumps(component)),  # noqa: S301 - just written
        copy.deepcopy(component),
    ):
        assert twin.proxy == SecretStr(PROXY)
        assert emulator_settings(twin) == settings


@pytest.mark.parametrize("kind", ALL)
@for_each(
    ("options", "name"),
    [
        ({"timeout": "soon"}, "timeout"),
        ({"timeout": (5,)}, "timeout"),
        ({"timeout": float("nan")}, "timeout"),
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
    """The error is raised by the constructor and does not contain the value."""
    with pytest.raises(UsageError) as refusal:
        kind(api_token=TOKEN, **options)
    assert refusal.value.field == name
    assert "canary" not in f"{refusal.value} {refusal.value!r} {refusal.value.__context__}"


def test_impossible_settings_that_are_assigned_are_refused_at_the_call(world: FakeServer) -> None:
    """Assigned fields are validated by the next call."""
    for name, wrong in (("timeout", "soon"), ("verify", "/no/such/file"), ("http_client", 5)):
        llm = made(XAILowCode, world)
        setattr(llm, name, wrong)
        with pytest.raises(UsageError) as refusal:
            llm.chat(HELLO)
        assert refusal.value.field == name
    assert world.requests == []


@pytest.mark.parametrize("kind", [XAILowCode, XAILowCodeEmbedding])
def test_a_tls_context_is_shared_and_does_not_travel(kind: Any) -> None:
    """Copies share the context; dumps omit it; pickling raises an error."""
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    component = kind(api_token=TOKEN, verify=own)
    assert emulator_settings(component).verify is own
    twin = copy.deepcopy(component)
    assert twin.verify is own
    assert emulator_settings(twin).verify is own
    with pytest.raises(UsageError, match=r"^verify: an ssl\.SSLContext cannot be pickled\. Give"):
        pickle.dumps(component)
    assert component.to_dict()["verify"] is None
    back = kind.from_dict(json.loads(component.to_json()), api_token=TOKEN)
    assert emulator_settings(back).verify is True


def test_no_verification_is_warned_of_once(gateway: Any, model: Any) -> None:
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
