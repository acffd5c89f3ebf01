"""A first look at Grok in LangChain and in LlamaIndex.

Each answers, streams, has a tool called, fills an object and paints a picture.
Without a token the answers come from the emulator of the gateway that ships with this package; with
LOWCODEAPI_API_TOKEN set they come from Grok.
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
from langchain_xai_lowcode import XAIImageGenerator as LangChainPainter
from llama_index_xai_lowcode import XAIImageGenerator as LlamaIndexPainter
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import XAILowCodeError
from xai_lowcode.emulator import SlowDrip, running

MODEL = os.environ.get("XAI_LOWCODE_DEMO_MODEL", "grok-4.7")
PICTURES = Path("pictures")
QUESTION = "Say hello to somebody who tries this package, in one sentence."
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
    """Prints one result."""
    console.print(f"  [bold cyan]{step:<11}[/]", end="")
    console.print(str(text), markup=False)


def show_pieces(step: str, pieces: Iterator[str]) -> None:
    """Prints a stream as it arrives, and when."""
    console.print(f"  [bold cyan]{step:<11}[/]", end="")
    began, times = time.monotonic(), []
    for piece in pieces:
        if piece:
            times.append(time.monotonic() - began)
            console.print(piece, end="", markup=False)
    console.print(
        f"\n{'':13}[dim]{len(times)} pieces, first after {times[0]:.2f} s,"
        f" last after {times[-1]:.2f} s[/]"
    )


def in_langchain(slow_down: Any) -> None:
    """The tour in LangChain."""
    llm = ChatXAILowCode(model=MODEL)
    answer = llm.invoke(QUESTION)
    show("answer", answer.text)

    slow_down()
    show_pieces("stream", (chunk.text for chunk in llm.stream(STORY)))

    weather = tool(get_weather)
    with_tool = llm.bind_tools([weather])
    call = with_tool.invoke(WEATHER)
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
    show("then", with_tool.invoke(messages).text)

    show("object", repr(llm.with_structured_output(Person).invoke(FACTS)))

    (picture,) = LangChainPainter(response_format="b64_json").invoke(SCENE)
    show("picture", save("langchain", picture["base64"], picture["mime_type"]))

    show("usage", dict(answer.usage_metadata or {}))
    show(
        "cost",
        f"{answer.response_metadata.get('cost_usd', 'not told')} USD for the answer,"
        f" {picture['extras'].get('cost_usd', 'not told')} USD for the picture",
    )


def in_llama_index(slow_down: Any) -> None:
    """The same tour in LlamaIndex."""
    llm = XAILowCode(model=MODEL)
    answer = llm.complete(QUESTION)
    show("answer", answer.text)

    slow_down()
    show_pieces("stream", (chunk.delta or "" for chunk in llm.stream_complete(STORY)))

    weather = FunctionTool.from_defaults(get_weather)
    call = llm.chat_with_tools([weather], WEATHER)
    (selection,) = llm.get_tool_calls_from_response(call)
    said = llm.predict_and_call([weather], WEATHER)
    show("tool call", f"{selection.tool_name}({selection.tool_kwargs}) -> {said}")
    history = [*_turn(WEATHER), call.message, _result(selection.tool_id, str(said))]
    show("then", llm.chat(history).message.content)

    person = llm.structured_predict(Person, PromptTemplate("{facts}"), facts=FACTS)
    show("object", repr(person))

    (picture,) = LlamaIndexPainter().generate(SCENE, response_format="b64_json")
    show("picture", save("llama-index", picture.image, picture.image_mimetype))

    tokens = {k: v for k, v in answer.additional_kwargs.items() if k.endswith("tokens")}
    show("usage", tokens)
    ticks = (answer.raw or {}).get("usage", {}).get("cost_in_usd_ticks")
    show("cost", "not told" if ticks is None else f"{ticks / 10**10} USD for the answer")


def _turn(text: str) -> list[Any]:
    return [ChatMessage(role="user", content=text)]


def _result(call_id: str, text: str) -> Any:
    return ChatMessage(role="tool", content=text, additional_kwargs={"tool_call_id": call_id})


def save(name: str, data: Any, mime_type: str | None) -> str:
    """Writes a picture's base64 data to a file and returns the file's path."""
    PICTURES.mkdir(exist_ok=True)
    path = PICTURES / f"{name}.{(mime_type or 'image/jpeg').removeprefix('image/')}"
    path.write_bytes(base64.b64decode(data))
    return str(path.resolve())


@contextmanager
def answers() -> Iterator[Any]:
    """Connects both frameworks to Grok, or to the emulator where there is no token."""
    if os.environ.get("LOWCODEAPI_API_TOKEN"):
        console.print(
            "\n[bold]The answers come from Grok[/], through the gateway at "
            f"{os.environ.get('LOWCODEAPI_BASE_URL', 'api.lowcodeapi.com')}."
        )
        yield lambda: None
        return
    with running() as gateway:
        os.environ["LOWCODEAPI_API_TOKEN"] = gateway.api_token
        os.environ["LOWCODEAPI_BASE_URL"] = gateway.base_url
        console.print(
            "\n[bold yellow]The answers come from the emulator[/], not from Grok: no token is"
            " set.\nSet LOWCODEAPI_API_TOKEN to see Grok's."
        )
        yield lambda: gateway.inject(SlowDrip(0.03))


def main() -> int:
    """Runs the tour; says what to do if it fails."""
    try:
        with answers() as slow_down:
            console.print("\n[bold]LangChain[/]")
            in_langchain(slow_down)
            console.print("\n[bold]LlamaIndex[/]")
            in_llama_index(slow_down)
    except XAILowCodeError as error:
        console.print(f"\n[bold red]The demo stopped:[/] {error}")
        return 1
    console.print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
