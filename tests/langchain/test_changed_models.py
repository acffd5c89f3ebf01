"""Models whose fields are changed after use: assigned, or updated in a copy."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler

from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerationTool, XAIImageGenerator
from tests.cases import for_each
from tests.langchain.helpers import SYNC_AND_ASYNC, Chat, collect_stream, run
from xai_lowcode import PollingOptions
from xai_lowcode.emulator import running
from xai_lowcode.errors import UsageError

Change = Callable[[Any, dict[str, Any]], Any]


def _assign(model: Any, fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        setattr(model, name, value)
    return model


CHANGES: dict[str, Change] = {
    "assigned": _assign,
    "model_copy": lambda model, fields: model.model_copy(update=fields),
    "deep model_copy": lambda model, fields: model.model_copy(update=fields, deep=True),
    "copy": lambda model, fields: _assign(copy.copy(model), fields),
    "deepcopy": lambda model, fields: _assign(copy.deepcopy(model), fields),
    "pickle": lambda model, fields: _assign(pickle.loads(pickle.dumps(model)), fields),  # noqa: S301
}
FIELDS: list[dict[str, Any]] = [
    {"model": "grok-3"},
    {"model": "grok-4.3", "temperature": 0.5},
    {"api": "chat_completions"},
    {"api": "messages"},
    {"stop": ["x"]},
    {"seed": 1},
    {"max_tokens": 10},
    {"extra_body": {"made_up": 1}},
    {"model_kwargs": {"top_p": 0.5}},
    {"include_total_cost": True},
    {"deferred": True},
    {"deferred": PollingOptions(timeout=5)},
    {"max_retries": 0},
    {"timeout": 3},
    {"timeout": httpx.Timeout(5)},
    {"deadline": 9.0},
    {"max_response_bytes": 10**6},
    {"url_format": "new"},
    {"proxy": ""},
    {"verify": False},
    {"max_concurrency": 2},
    {"api_token": "at_ffffffffffffffffffff", "max_retries": 1},
]


@pytest.mark.filterwarnings("ignore:.*verify")
@for_each("change", CHANGES)
@for_each("fields", FIELDS)
def test_a_changed_model_equals_a_new_one(
    chat: Chat, change: Change, fields: dict[str, Any]
) -> None:
    """Settings, profile, dump and streaming are those of a model created with these fields."""
    used = chat()
    used.invoke("Hello")
    changed, new = change(used, fields), chat(**fields)
    assert changed._gateway.settings == new._gateway.settings
    assert changed.profile == new.profile
    assert changed.disable_streaming == new.disable_streaming
    assert changed._serialized == new._serialized
    assert changed.model_dump() == new.model_dump()


class _SeedTracer(BaseCallbackHandler):
    """Records the field ``seed`` of the models of calls."""

    def __init__(self) -> None:
        self.seeds: list[Any] = []

    def on_chat_model_start(self, serialized: dict[str, Any], *_: Any, **__: Any) -> None:
        self.seeds.append(serialized["kwargs"].get("seed"))


@SYNC_AND_ASYNC
async def test_a_changed_model_gets_no_cached_response_of_the_first(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """The key of the response cache, and what tracers get, have the new value of a field."""
    cache = InMemoryCache()
    for name, change in CHANGES.items():
        tracer = _SeedTracer()
        cache.clear()
        gateway.requests.clear()
        llm = chat(cache=cache)
        await run(llm, "Hello", {"callbacks": [tracer]}, use_async=use_async)
        changed = change(llm, {"seed": 7, "cache": cache})
        await run(changed, "Hello", {"callbacks": [tracer]}, use_async=use_async)
        assert [request.body.get("seed") for request in gateway.requests] == [None, 7], name
        assert tracer.seeds == [None, 7], name


@SYNC_AND_ASYNC
@pytest.mark.parametrize(
    "kind",
    [ChatXAILowCode, XAIImageGenerator, XAIImageGenerationTool],
    ids=lambda kind: kind.__name__,
)
async def test_a_changed_component_connects_to_its_own_gateway(
    gateway: Any, kind: Any, *, use_async: bool
) -> None:
    """The base URL and the token of a copy are used by the copy, and not by the original."""
    with running() as other:
        place = {"base_url": other.base_url, "api_token": other.api_token}
        component = kind()
        changed = component.model_copy(update=place)
        assert other.api_token not in f"{changed!r} {vars(changed)}"
        await run(changed, "A lighthouse", use_async=use_async)
        assert (len(gateway.requests), len(other.requests)) == (0, 1)
        await run(component, "A lighthouse", use_async=use_async)
        assert (len(gateway.requests), len(other.requests)) == (1, 1)


@pytest.mark.parametrize("kind", [ChatXAILowCode, XAIImageGenerator, XAIImageGenerationTool])
def test_copies_are_updated_by_aliases(gateway: Any, kind: Any) -> None:
    """The constructor's names of another integration are those of `model_copy`, too."""
    component = kind()
    with running() as other:
        place = {"api_base": other.base_url, "api_key": other.api_token, "request_timeout": 9}
        options = {"model_name": "grok-3", "max_completion_tokens": 7, "stop_sequences": ["x"]}
        update = place | (options if kind is ChatXAILowCode else {})
        copied = component.model_copy(update=update)
        copied.invoke("A lighthouse")
        (request,) = other.requests
    assert gateway.requests == []
    assert copied.timeout == 9
    assert other.api_token not in f"{copied!r} {vars(copied)}"
    if kind is ChatXAILowCode:
        assert (copied.model, copied.max_tokens, copied.stop) == ("grok-3", 7, ["x"])
        assert request.body["model"] == "grok-3"
        assert copied._serialized == chat_with(place | options)._serialized


def chat_with(fields: dict[str, Any]) -> ChatXAILowCode:
    """Return a model that is created with these fields."""
    return ChatXAILowCode(**fields)


@for_each("change", CHANGES)
def test_a_profile_that_was_set_is_kept(chat: Chat, change: Change) -> None:
    """Another model has another profile, unless the caller has set one."""
    profile: Any = {"max_input_tokens": 5}
    assert change(chat(profile=profile), {"model": "grok-3"}).profile == profile
    assert change(chat(), {"profile": profile, "model": "grok-3"}).profile == profile


def test_a_copy_with_invalid_settings_is_refused(chat: Chat) -> None:
    """The error names the setting, and the original is unchanged."""
    llm = chat()
    wrong: dict[str, Any] = {
        "max_retries": -1,
        "base_url": "localhost",
        "api_token": "xai-0123456789",
        "proxy": "nonsense",
        "timeout": -1,
    }
    for name, value in wrong.items():
        with pytest.raises(UsageError, match=f"^{name}: "):
            llm.model_copy(update={name: value})
    assert llm.invoke("Hello").text


@SYNC_AND_ASYNC
async def test_a_model_that_is_no_name_is_refused_by_the_call(
    gateway: Any, chat: Chat, *, use_async: bool
) -> None:
    """The error names the field, however it was changed; nothing is sent."""
    for change in CHANGES.values():
        for wrong in (None, 5, ["grok-4.7"], "", " "):
            changed = change(chat(), {"model": wrong})
            for call in (run, collect_stream):
                with pytest.raises(UsageError, match=r"^model: "):
                    await call(changed, "Hello", use_async=use_async)
    assert gateway.requests == []
