"""A tour of Grok in LangChain and in LlamaIndex.

Each invokes the model, streams, calls a tool, returns structured output and generates an image.
Without a token the responses come from the emulator of the gateway that ships with this package;
with LOWCODEAPI_API_TOKEN set they come from the gateway at LOWCODEAPI_BASE_URL. The demo asks it
whether it is an emulator, and says so.
"""

import base64
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel, Field
from rich.console import Console

from langchain_xai_lowcode import ChatXAILowCode
from langchain_xai_lowcode import XAIImageGenerator as LangChainImageGenerator
from llama_index_xai_lowcode import XAIImageGenerator as LlamaIndexImageGenerator
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import Gateway, Settings, XAILowCodeError
from xai_lowcode.emulator import SlowDrip, running
from xai_lowcode.redaction import redact_text
from xai_lowcode.settings import DEFAULT_BASE_URL

MODEL = os.environ.get("XAI_LOWCODE_DEMO_MODEL", "grok-4.7")
IMAGES = Path("images")
PROMPT = "Say hello to somebody who tries this package, in one sentence."
STORY = "Tell me in two sentences why a gateway needs a lighthouse."
WEATHER = "How is the weather in 'Vienna'? Use the tool."
FACTS = "'Ada Lovelace', 36, wrote the first published algorithm. Give name and age."
SCENE = "A lighthouse on a cliff at dawn"

console = Console(highlight=False, soft_wrap=True)


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The full name")
    age: int = Field(description="The age in years")


def get_weather(city: str) -> str:
    """Get the current weather in a city."""
    return f"Sunny, 23 degrees in {city}."


def show(step: str, text: object) -> None:
    """Print one result."""
    console.print(f"  [bold cyan]{step:<11}[/]", end="")
    console.print(str(text), markup=False)


def show_stream(step: str, chunks: Iterator[str]) -> None:
    """Print a stream as it arrives, with its timing."""
    console.print(f"  [bold cyan]{step:<11}[/]", end="")
    began, times = time.monotonic(), []
    for chunk in chunks:
        if chunk:
            times.append(time.monotonic() - began)
            console.print(chunk, end="", markup=False)
    when = f", first after {times[0]:.2f} s, last after {times[-1]:.2f} s" if times else ""
    console.print(f"\n{'':13}[dim]{len(times)} chunks{when}[/]")


def in_langchain(slow_down: Any) -> None:
    """Run the tour in LangChain."""
    llm = ChatXAILowCode(model=MODEL)
    message = llm.invoke(PROMPT)
    show("response", message.text)

    slow_down()
    show_stream("stream", (chunk.text for chunk in llm.stream(STORY)))

    weather = tool(get_weather)
    call = llm.bind_tools([weather], tool_choice="any").invoke(WEATHER)
    result = weather.invoke(call.tool_calls[0])
    show(
        "tool call",
        f"{call.tool_calls[0]['name']}({call.tool_calls[0]['args']}) -> {result.content}",
    )
    messages = [
        HumanMessage(WEATHER),
        call,
        ToolMessage(result.content, tool_call_id=result.tool_call_id),
    ]
    show("then", llm.bind_tools([weather]).invoke(messages).text)

    show("object", repr(llm.with_structured_output(Person).invoke(FACTS)))

    image = LangChainImageGenerator(response_format="b64_json").invoke(SCENE)[0]
    show("image", save("langchain", image["base64"], image["mime_type"]))

    show("usage", dict(message.usage_metadata or {}))
    show(
        "cost",
        f"{message.response_metadata.get('cost_usd', 'unknown')} USD for the response,"
        f" {image['extras'].get('cost_usd', 'unknown')} USD for the image",
    )


def in_llama_index(slow_down: Any) -> None:
    """Run the tour in LlamaIndex."""
    llm = XAILowCode(model=MODEL)
    response = llm.complete(PROMPT)
    show("response", response.text)

    slow_down()
    show_stream("stream", (chunk.delta or "" for chunk in llm.stream_complete(STORY)))

    weather = FunctionTool.from_defaults(get_weather)
    call = llm.chat_with_tools([weather], WEATHER, tool_required=True)
    selection = llm.get_tool_calls_from_response(call)[0]
    result = weather(**selection.tool_kwargs)
    show("tool call", f"{selection.tool_name}({selection.tool_kwargs}) -> {result}")
    history = [*_turn(WEATHER), call.message, _result(selection.tool_id, str(result))]
    show("then", llm.chat(history).message.content)

    person = llm.structured_predict(Person, PromptTemplate("{facts}"), facts=FACTS)
    show("object", repr(person))

    image = LlamaIndexImageGenerator().generate(SCENE, response_format="b64_json")[0]
    show("image", save("llama-index", image.image, image.image_mimetype))

    tokens = {k: v for k, v in response.additional_kwargs.items() if k.endswith("tokens")}
    show("usage", tokens)
    ticks = (response.raw or {}).get("usage", {}).get("cost_in_usd_ticks")
    show("cost", "unknown" if ticks is None else f"{ticks / 10**10} USD for the response")


def _turn(text: str) -> list[Any]:
    return [ChatMessage(role="user", content=text)]


def _result(call_id: str, text: str) -> Any:
    return ChatMessage(role="tool", content=text, additional_kwargs={"tool_call_id": call_id})


def save(name: str, data: Any, mime_type: str | None) -> str:
    """Write an image's base64 data to a file and return the path."""
    IMAGES.mkdir(exist_ok=True)
    path = IMAGES / f"{name}.{(mime_type or 'image/jpeg').removeprefix('image/')}"
    path.write_bytes(base64.b64decode(data))
    return str(path.resolve())


def describe_source(settings: Settings) -> str:
    """Ask the gateway for its xAI key, and return where the responses come from."""
    with Gateway(settings) as gateway:
        key = gateway.get_api_key()
    if key.name == "emulated key":
        return (
            "[bold yellow]The responses come from an emulator[/] at"
            f" {settings.base_url}, not from Grok."
        )
    if settings.base_url == DEFAULT_BASE_URL:
        return "[bold]The responses come from Grok[/], through the hosted gateway."
    return (
        f"[bold]The responses come from {settings.base_url}[/], which is not the hosted gateway;"
        f" it uses the xAI key {key.redacted_api_key}."
    )


@contextmanager
def connect() -> Iterator[Any]:
    """Connect both frameworks to the gateway, or to the emulator if no token is set."""
    if os.environ.get("LOWCODEAPI_API_TOKEN"):
        console.print(f"\n{describe_source(Settings.create(deadline=30.0))}")
        yield lambda: None
        return
    with running() as gateway:
        os.environ["LOWCODEAPI_API_TOKEN"] = gateway.api_token
        os.environ["LOWCODEAPI_BASE_URL"] = gateway.base_url
        console.print(
            "\n[bold yellow]The responses come from the emulator[/], not from Grok: no token is"
            " set.\nSet LOWCODEAPI_API_TOKEN to use Grok."
        )
        yield lambda: gateway.inject(SlowDrip(0.03))


def report(reason: str) -> int:
    """Print why the tour ended, and return the exit code."""
    console.print("\n[bold red]The demo failed:[/] ", end="")
    console.print(redact_text(reason, os.environ.get("LOWCODEAPI_API_TOKEN", "")), markup=False)
    return 1


def main() -> int:
    """Run the tour, and print an error if it fails."""
    try:
        with connect() as slow_down:
            console.print("\n[bold]LangChain[/]")
            in_langchain(slow_down)
            console.print("\n[bold]LlamaIndex[/]")
            in_llama_index(slow_down)
    except XAILowCodeError as error:
        return report(str(error))
    except KeyboardInterrupt:
        return report("interrupted")
    except Exception as error:  # noqa: BLE001 - a traceback explains nothing to who tries a demo
        return report(f"{type(error).__name__}: {error}")
    console.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
