"""Ways to bring about each error of the page on troubleshooting, in the order of the page.

Each is a function of an emulator that fails. The page quotes what it raises or warns of.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

from langchain_xai_lowcode import ChatXAILowCode, XAILowCodeEmbeddings
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import ChatModel, Gateway, PollingOptions, Settings
from xai_lowcode.emulator import (
    CutStream,
    Drop,
    Empty,
    Emulator,
    EndStreamEarly,
    ErrorIn200,
    Html,
    Redirect,
    Refuse,
    Stall,
)
from xai_lowcode.emulator.faults import Fault
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

TOKEN = "at_r" + "0" * 32
MODEL = "grok-4.3"
LONG = "This model's maximum prompt length is 131072 but the request contains 200000 tokens."


def ask(gateway: Emulator, *faults: Fault, **options: Any) -> None:
    """Asks once, as an application in LangChain would."""
    to = {"base_url": gateway.base_url, "api_token": gateway.api_token, "max_retries": 0}
    gateway.inject(*faults)
    ChatXAILowCode(**{"model": MODEL, **to, **options}).invoke("Hello")


def asked_with(**options: Any) -> Callable[[Emulator], None]:
    """A question with these options."""
    return lambda gateway: ask(gateway, **options)


def met_by(*faults: Fault, **options: Any) -> Callable[[Emulator], None]:
    """A question that meets these misfortunes."""
    return lambda gateway: ask(gateway, *faults, **options)


def answered(text: str, status: int = 400) -> Callable[[Emulator], None]:
    """A question that xAI refuses in these words, which it is known to use."""
    return met_by(Refuse(status, text))


def without_token(gateway: Emulator) -> None:
    """No token anywhere."""
    kept = os.environ.pop("LOWCODEAPI_API_TOKEN", None)
    try:
        ChatXAILowCode(base_url=gateway.base_url)
    finally:
        if kept is not None:
            os.environ["LOWCODEAPI_API_TOKEN"] = kept


def streamed(*faults: Fault) -> Callable[[Emulator], None]:
    """A stream that meets these misfortunes."""

    def stream(gateway: Emulator) -> None:
        gateway.inject(*faults)
        to = {"base_url": gateway.base_url, "api_token": gateway.api_token, "max_retries": 0}
        for _ in ChatXAILowCode(model=MODEL, **to).stream("Tell me a story."):
            pass

    return stream


def nobody_listens(_: Emulator) -> None:
    """A port at which nobody is."""
    ChatXAILowCode(base_url="http://127.0.0.1:9/xai", api_token=TOKEN, max_retries=0).invoke("Hi")


def never_ready(gateway: Emulator) -> None:
    """A deferred answer that takes too long."""
    gateway.deferred_polls = 100
    ask(gateway, deferred=PollingOptions(timeout=0.3, initial_delay=0.05, max_delay=0.05))


def embedded(gateway: Emulator) -> None:
    """Embeddings where there are none."""
    XAILowCodeEmbeddings(base_url=gateway.base_url, api_token=gateway.api_token).embed_query("Hi")


def downloaded(gateway: Emulator) -> None:
    """A file that is not text."""
    picture = gateway.add_file("fox.png", bytes(range(256)), "image/png")
    with Gateway(settings(gateway)) as client:
        client.download_file(picture)


def bad_id(gateway: Emulator) -> None:
    """An id with a path in it."""
    with Gateway(settings(gateway)) as client:
        client.get_file("../api-key")


def no_such_file(gateway: Emulator) -> None:
    """A file that does not exist."""
    with Gateway(settings(gateway)) as client:
        client.get_file("file_0")


def form_without(gateway: Emulator) -> None:
    """An option that a wire form has no member for."""
    request = ChatRequest(
        model=MODEL,
        messages=[Message("user", (TextPart("Hi"),))],
        api="chat_completions",
        previous_response_id="resp_1",
    )
    ChatModel(settings(gateway)).generate(request)


def bad_schema(gateway: Emulator) -> None:
    """A schema with a part that lies elsewhere."""
    llm = ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token)
    elsewhere = {"$ref": "https://example.org/person.json"}
    schema = {"title": "Couple", "type": "object", "properties": {"wife": elsewhere}}
    llm.with_structured_output(schema).invoke("Hello")


def bad_option(gateway: Emulator) -> None:
    """A number that is a text, in a call."""
    llm = ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token)
    llm.invoke("Hello", temperature="0.5")


def wrong_choice(gateway: Emulator) -> None:
    """A choice of a tool that is none."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return city

    llm = ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token)
    llm.bind_tools([get_weather], tool_choice="get_time")


def peers_name(gateway: Emulator) -> None:
    """The name of another class's argument."""
    ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, xai_api_key="x")


def unknown_name(gateway: Emulator) -> None:
    """An argument that nobody knows."""
    warned(lambda: ChatXAILowCode(base_url=gateway.base_url, api_token=TOKEN, verbosity="low"))


def unknown_to_llama_index(gateway: Emulator) -> None:
    """The same in LlamaIndex."""
    warned(lambda: XAILowCode(base_url=gateway.base_url, api_token=TOKEN, api_version="1"))


def left_out(gateway: Emulator) -> None:
    """An option that the model refuses."""
    warned(lambda: ask(gateway, presence_penalty=1.0))


def warned(call: Callable[[], object]) -> None:
    """Makes a call whose warning is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call()


def settings(gateway: Emulator) -> Settings:
    """How to reach the emulator, without patience."""
    to = {"base_url": gateway.base_url, "api_token": gateway.api_token}
    return Settings.create(**to, max_retries=0)


def unconnected(gateway: Emulator) -> None:
    """A token without an xAI account."""
    ask(gateway, api_token=gateway.unconnected_token)


def wrong_address(gateway: Emulator) -> None:
    """An address without the provider's name."""
    ask(gateway, base_url=gateway.origin)


WAYS: dict[str, Callable[[Emulator], None]] = {
    "no LowCodeAPI token was given": without_token,
    "this is a key of xAI itself": asked_with(api_token="xai-" + "0" * 20),
    "it contains white space": asked_with(api_token="at_r0 0"),
    "A valid API token is required": asked_with(api_token="r" + "0" * 32),
    "Invalid api_token": asked_with(api_token=TOKEN),
    "No access token is associated": unconnected,
    "Incorrect API key provided": answered("Incorrect API key provided: xai-0…0."),
    "Not Found": wrong_address,
    "it is not an address": asked_with(base_url="api.lowcodeapi.com"),
    "plain http to another machine": asked_with(base_url="http://gateway.example/xai"),
    "No answer came from the gateway": nobody_listens,
    "Server disconnected without sending a response": met_by(Drop(), Drop()),
    "did not answer in time": met_by(Stall(2), timeout=0.2),
    "Bad gateway": met_by(Html(502)),
    "A successful answer is empty": met_by(Empty()),
    "The server redirects to": met_by(Redirect("https://example.org/login")),
    "Too many requests": met_by(Refuse(429, "Too many requests")),
    "all available credits": answered("Your team has used all available credits", 403),
    "Timed out waiting for first token": met_by(ErrorIn200()),
    "Content violates usage guidelines": answered("Content violates usage guidelines.", 403),
    "The model … was deprecated": asked_with(model="grok-beta"),
    "maximum prompt length": answered(LONG),
    "Live search is deprecated": asked_with(model_kwargs={"search_parameters": {"mode": "on"}}),
    "Failed to deserialize the JSON body": asked_with(service_tier="urgent"),
    "The stream broke off": streamed(CutStream(after_chunks=5)),
    "The stream ended before its terminal event": streamed(EndStreamEarly(after_chunks=5)),
    "was not ready within": never_ready,
    "File not found": no_such_file,
    "The gateway has no endpoint for embeddings": embedded,
    "is not the file": downloaded,
    "is not an id": bad_id,
    "have nothing like it": form_without,
    "which is no place in it": bad_schema,
    "there is no tool": wrong_choice,
    "a number is needed": bad_option,
    "the key stays in the LowCodeAPI account": peers_name,
    "so put into model_kwargs": unknown_name,
    "has no effect behind the gateway": unknown_to_llama_index,
    "it is not sent": left_out,
}
