"""Unknown arguments: each class and each call warns, names the nearest field, and sends them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import ValidationError

from langchain_xai_lowcode import (
    ChatXAILowCode,
    XAIImageGenerationTool,
    XAIImageGenerator,
    XAILowCodeEmbeddings,
)
from langchain_xai_lowcode._client_fields import FOREIGN_ARGS
from tests.unknown_parameters import expect_warning, misspelled
from xai_lowcode._internal.credentials import is_credential_name
from xai_lowcode.errors import UsageError

CLASSES: list[Any] = [
    ChatXAILowCode,
    XAILowCodeEmbeddings,
    XAIImageGenerator,
    XAIImageGenerationTool,
]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_misspelled_field_is_warned_of(gateway: Any, kind: Any) -> None:
    """The value is moved to model_kwargs, and the warning names the field that was meant."""
    assert gateway.base_url
    known = kind._argument_names() | kind._options
    tried = 0
    for name in sorted(kind.model_fields):
        for wrong in misspelled(name) - known - FOREIGN_ARGS.keys() if len(name) > 4 else ():
            if is_credential_name(wrong):
                continue
            tried += 1
            with expect_warning(f"{wrong!r} moved to model_kwargs; did you mean '"):
                component = kind(**{wrong: 7})
            assert component.model_kwargs == {wrong: 7}
    assert tried > 50


@pytest.mark.parametrize("kind", CLASSES)
def test_credentials_are_refused(gateway: Any, kind: Any) -> None:
    """A credential among unknown arguments is not moved, and not in the error."""
    assert gateway.base_url
    for options in ({"access_token": "x-canary"}, {"made_up": "at_canary0123456789"}):
        with pytest.raises(UsageError) as caught:
            kind(**options)
        assert "canary" not in f"{caught.value} {caught.value!r}"


async def _collect(stream: Any) -> list[Any]:
    return [chunk async for chunk in stream]


CALLS: dict[str, Callable[..., Any]] = {
    "invoke": lambda llm, options: llm.invoke("Hello", **options),
    "ainvoke": lambda llm, options: asyncio.run(llm.ainvoke("Hello", **options)),
    "stream": lambda llm, options: list(llm.stream("Hello", **options)),
    "astream": lambda llm, options: asyncio.run(_collect(llm.astream("Hello", **options))),
    "bind": lambda llm, options: llm.bind(**options).invoke("Hello"),
}


@pytest.mark.parametrize("api", ["chat_completions", "responses", "messages"])
@pytest.mark.parametrize("call", CALLS)
def test_an_unknown_option_of_a_call(gateway: Any, chat: Any, api: str, call: str) -> None:
    """It is sent, with a warning; an option in extra_body or model_kwargs without one."""
    llm = chat(api=api, model="grok-4.3")
    with expect_warning("'temprature' sent in the request body; did you mean 'temperature'?"):
        CALLS[call](llm, {"temprature": 1})
    assert gateway.requests[-1].body["temprature"] == 1
    for name in ("extra_body", "model_kwargs"):
        CALLS[call](llm, {name: {"temprature": 2}})
        assert gateway.requests[-1].body["temprature"] == 2
    with expect_warning("'timeout'", "Set it when you create the object"):
        CALLS[call](llm, {"timeout": 1})


IMAGE_CALLS: dict[str, Callable[..., Any]] = {
    "dict": lambda component, options: component.invoke({"prompt": "A fox", **options}),
    "adict": lambda component, options: asyncio.run(
        component.ainvoke({"prompt": "A fox", **options})
    ),
    "kwargs": lambda component, options: component.invoke("A fox", **options),
    "akwargs": lambda component, options: asyncio.run(component.ainvoke("A fox", **options)),
    "bind": lambda component, options: component.bind(**options).invoke("A fox"),
}


@pytest.mark.parametrize("call", IMAGE_CALLS)
def test_options_of_an_image(gateway: Any, call: str) -> None:
    """Unknown ones are sent with a warning; quality and size in a call win over the fields."""
    component = XAIImageGenerator(quality="low", aspect_ratio="1:2")
    with expect_warning("'aspect_ration' sent in the request body; did you mean 'aspect_ratio'?"):
        IMAGE_CALLS[call](component, {"aspect_ration": "16:9"})
    body = gateway.requests[-1].body
    assert (body["aspect_ration"], body["quality"]) == ("16:9", "low")
    IMAGE_CALLS[call](component, {"quality": "medium", "size": "1024x1024"})
    body = gateway.requests[-1].body
    assert (body["quality"], body["aspect_ratio"], body["resolution"]) == ("medium", "1:1", "1k")
    assert "size" not in body
    with pytest.raises(UsageError, match="quality"):
        IMAGE_CALLS[call](component, {"quality": "high"})


@pytest.mark.parametrize("kind", [XAIImageGenerator, XAIImageGenerationTool])
def test_fields_of_images(gateway: Any, kind: Any) -> None:
    """Each option is sent from the field, from model_kwargs and from extra_body alike."""
    options = {"quality": "medium", "aspect_ratio": "5:2", "resolution": "2k", "user": "u", "n": 2}
    for given in (options, {"model_kwargs": options}, {"extra_body": options}):
        kind(**given).invoke({"prompt": "A fox"})
        assert gateway.requests[-1].body.items() >= options.items()
    kind(size="1536x1024").invoke({"prompt": "A fox"})
    assert gateway.requests[-1].body["aspect_ratio"] == "3:2"
    for wrong in ({"size": "1x1000"}, {"quality": "high"}, {"aspect_ratio": "7:3"}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            kind(**wrong)


def test_arguments_that_a_model_invents(gateway: Any) -> None:
    """The schema has the aspect ratios; unknown arguments are dropped with a warning."""
    tool = XAIImageGenerationTool(quality="low", n=2, aspect_ratio="1:2")
    parameters = convert_to_openai_tool(tool)["function"]["parameters"]["properties"]
    assert parameters.keys() == {"prompt", "n", "aspect_ratio"}
    assert "21:9" in str(parameters["aspect_ratio"])
    with expect_warning("'quality' dropped"):
        tool.invoke({"prompt": "A fox", "quality": "medium", "aspect_ratio": "21:9"})
    body = gateway.requests[-1].body
    assert (body["quality"], body["n"], body["aspect_ratio"]) == ("low", 2, "21:9")
    with pytest.raises(ValidationError, match="aspect_ratio"):
        tool.invoke({"prompt": "A fox", "aspect_ratio": "7:3"})


@pytest.mark.parametrize("kind", CLASSES)
def test_none_is_the_default_of_every_field(gateway: Any, kind: Any) -> None:
    """``max_retries=None`` and ``stream_usage=None`` are taken, as other chat models do."""
    assert gateway.base_url
    plain = kind()
    for name in kind.model_fields:
        assert getattr(kind(**{name: None}), name) == getattr(plain, name), name


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
def test_numbers_out_of_range(gateway: Any, chat: Any, name: str, call: str) -> None:
    """A number out of range is refused by name, as a field and in a call."""
    options = {name: OUT_OF_RANGE[name]}
    for act in (lambda: chat(**options), lambda: CALLS[call](chat(), options)):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.field == name
    with pytest.raises(UsageError, match="no content"):
        chat().invoke([("human", "")])
    assert not gateway.requests


def test_single_tool_calls_with_messages(gateway: Any, chat: Any) -> None:
    """``parallel_tool_calls=False`` is a key of the tool choice of the Messages API."""

    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    llm = chat(api="messages")
    for choice, sent in ((None, {"type": "auto"}), ("any", {"type": "any"})):
        llm.bind_tools([add], tool_choice=choice, parallel_tool_calls=False).invoke("Hello")
        body = gateway.requests[-1].body
        assert body["tool_choice"] == {**sent, "disable_parallel_tool_use": True}
    llm.bind_tools([add], parallel_tool_calls=True).invoke("Hello")
    assert "tool_choice" not in gateway.requests[-1].body
