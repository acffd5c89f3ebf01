"""Unknown arguments: each class and each call warns, names the nearest field, and sends them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import (
    XAIImageGenerator,
    XAIImageToolSpec,
    XAILowCode,
    XAILowCodeEmbedding,
)
from tests.unknown_parameters import expect_warning, misspelled
from xai_lowcode._internal.credentials import is_credential_name
from xai_lowcode.errors import UsageError

HELLO = [ChatMessage("Hello")]
CLASSES: list[Any] = [XAILowCode, XAILowCodeEmbedding, XAIImageGenerator]
IMAGE_FIELDS = ("aspect_ratio", "resolution", "quality", "response_format", "max_retries")


def create(kind: Any, gateway: Any, **options: Any) -> Any:
    return kind(api_token=gateway.api_token, base_url=gateway.base_url, **options)


@pytest.mark.parametrize("kind", CLASSES)
def test_every_misspelled_field_is_warned_of(gateway: Any, kind: Any) -> None:
    """The value is moved to additional_kwargs, and the warning names the field that was meant."""
    fields = getattr(kind, "model_fields", IMAGE_FIELDS)
    known = {*fields, *getattr(kind, "_aliases", ()), *getattr(kind, "_options", ())}
    tried = 0
    for name in sorted(fields):
        for wrong in misspelled(name) - known if len(name) > 4 else ():
            if is_credential_name(wrong):
                continue
            tried += 1
            with expect_warning(f"{wrong!r} moved to additional_kwargs; did you mean '"):
                component = create(kind, gateway, **{wrong: 7})
            assert component.additional_kwargs == {wrong: 7}
    assert tried > 10


@pytest.mark.parametrize("kind", CLASSES)
def test_credentials_are_refused(gateway: Any, kind: Any) -> None:
    """A credential among unknown arguments is not moved, and not in the error."""
    for options in ({"access_token": "x-canary"}, {"made_up": "at_canary0123456789"}):
        with pytest.raises(UsageError) as caught:
            create(kind, gateway, **options)
        assert "canary" not in f"{caught.value} {caught.value!r}"


def test_options_of_a_call_as_arguments(gateway: Any, model: Any) -> None:
    """An option of a call that is no field becomes part of additional_kwargs without a warning."""
    llm = model(model="grok-4.3", top_p=0.5, seed=3, extra_body={"made_up": 1})
    llm.chat(HELLO)
    body = gateway.requests[-1].body
    assert (body["top_p"], body["seed"], body["made_up"]) == (0.5, 3, 1)


async def _collect(stream: Any) -> list[Any]:
    return [each async for each in await stream]


CALLS: dict[str, Callable[..., Any]] = {
    "chat": lambda llm, options: llm.chat(HELLO, **options),
    "achat": lambda llm, options: asyncio.run(llm.achat(HELLO, **options)),
    "stream_chat": lambda llm, options: list(llm.stream_chat(HELLO, **options)),
    "astream_chat": lambda llm, options: asyncio.run(_collect(llm.astream_chat(HELLO, **options))),
    "complete": lambda llm, options: llm.complete("Hello", **options),
    "acomplete": lambda llm, options: asyncio.run(llm.acomplete("Hello", **options)),
    "stream_complete": lambda llm, options: list(llm.stream_complete("Hello", **options)),
}


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_option_of_a_call(gateway: Any, model: Any, api: str, call: str) -> None:
    """It is sent, with a warning; an option in additional_kwargs or extra_body without one."""
    llm = model(api=api)
    with expect_warning("'temprature' sent in the request body; did you mean 'temperature'?"):
        CALLS[call](llm, {"temprature": 1})
    assert gateway.requests[-1].body["temprature"] == 1
    for name in ("extra_body", "additional_kwargs"):
        CALLS[call](llm, {name: {"temprature": 2}})
        assert gateway.requests[-1].body["temprature"] == 2
    with expect_warning("'timeout'", "Set it when you create the object"):
        CALLS[call](llm, {"timeout": 1})


OPTIONS = {"quality": "medium", "aspect_ratio": "5:2", "resolution": "2k", "user": "u", "n": 2}


def test_options_of_images(sync_async: Any, gateway: Any) -> None:
    """Each option is sent from the constructor, additional_kwargs, extra_body and the call."""
    for options in (OPTIONS, {"additional_kwargs": OPTIONS}, {"extra_body": OPTIONS}):
        sync_async.call(create(XAIImageGenerator, gateway, **options), "generate", "A fox")
        assert gateway.requests[-1].body.items() >= OPTIONS.items()
    generator = create(XAIImageGenerator, gateway, **OPTIONS)
    options = {"quality": "low", "aspect_ratio": "auto", "resolution": "1k", "user": "v", "n": 1}
    for given in (options, {"extra_body": options}):
        sync_async.call(generator, "generate", "A fox", **given)
        assert gateway.requests[-1].body.items() >= options.items()
    sync_async.call(generator, "generate", "A fox", size="1024x1024")
    body = gateway.requests[-1].body
    assert (body["aspect_ratio"], body["resolution"]) == ("1:1", "1k")
    assert "size" not in body
    with expect_warning("'aspect_ration' sent in the request body; did you mean 'aspect_ratio'?"):
        sync_async.call(generator, "generate", "A fox", aspect_ration="16:9")
    assert gateway.requests[-1].body["aspect_ration"] == "16:9"


@pytest.mark.parametrize("wrong", [{"size": "1x999"}, {"quality": "high"}, {"aspect_ratio": "7:3"}])
def test_impossible_options_of_images(gateway: Any, wrong: dict[str, Any]) -> None:
    """They are refused by name: in the constructor, the tool spec and the call."""
    generator = create(XAIImageGenerator, gateway)
    for act in (
        lambda: create(XAIImageGenerator, gateway, **wrong),
        lambda: XAIImageToolSpec(generator, **wrong),
        lambda: generator.generate("A fox", **wrong),
    ):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.field == next(iter(wrong))
    assert not gateway.requests


def test_options_of_the_tool(sync_async: Any, gateway: Any) -> None:
    """The tool spec sends its options, also unknown ones, which it warns of once."""
    generator = create(XAIImageGenerator, gateway)
    with expect_warning("'aspect_ration' sent in the request body; did you mean 'aspect_ratio'?"):
        spec = XAIImageToolSpec(generator, aspect_ration="16:9", **OPTIONS)
    (tool,) = spec.to_tool_list()
    sync_async.call(tool, "call", prompt="A fox")
    assert gateway.requests[-1].body.items() >= {**OPTIONS, "aspect_ration": "16:9"}.items()
    with pytest.raises(UsageError, match="access_token"):
        XAIImageToolSpec(generator, access_token="x")


def test_arguments_that_a_model_invents(sync_async: Any, gateway: Any) -> None:
    """The schema has the aspect ratios; unknown arguments are dropped with a warning."""
    (tool,) = XAIImageToolSpec(create(XAIImageGenerator, gateway), quality="low").to_tool_list()
    properties = tool.metadata.get_parameters_dict()["properties"]
    assert properties.keys() == {"prompt", "n", "aspect_ratio"}
    assert "21:9" in str(properties["aspect_ratio"])
    with expect_warning("'quality' dropped"):
        sync_async.call(tool, "call", prompt="A fox", quality="medium", aspect_ratio="21:9")
    body = gateway.requests[-1].body
    assert (body["quality"], body["aspect_ratio"]) == ("low", "21:9")


@pytest.mark.parametrize("kind", CLASSES)
def test_none_is_the_default_of_every_field(gateway: Any, kind: Any) -> None:
    """None stands for the default of an argument."""
    fields = getattr(kind, "model_fields", IMAGE_FIELDS)
    for name in set(fields) - {"api_token", "base_url"}:
        component = create(kind, gateway, **{name: None})
        assert not component.additional_kwargs


OUT_OF_RANGE = {
    "temperature": 9,
    "top_p": 3,
    "max_tokens": 0,
    "n": 0,
    "top_logprobs": 9,
    "max_turns": -1,
    "presence_penalty": 3,
    "frequency_penalty": -3,
}


@pytest.mark.parametrize("name", OUT_OF_RANGE)
@pytest.mark.parametrize("call", CALLS)
def test_numbers_out_of_range(gateway: Any, model: Any, name: str, call: str) -> None:
    """A number out of range is refused by name, as an argument and in a call."""
    options = {name: OUT_OF_RANGE[name]}
    for act in (lambda: CALLS[call](model(**options), {}), lambda: CALLS[call](model(), options)):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.field == name
    with pytest.raises(UsageError, match="no content"):
        model().chat([ChatMessage("")])
    assert not gateway.requests
