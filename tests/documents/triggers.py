"""Functions that trigger each error and warning of the troubleshooting page, in its order.

Each takes a running emulator, and raises the error or issues the warning that the page quotes.
"""

import os
import warnings
from collections.abc import Callable
from typing import Any

import httpx
from langchain_core.messages import BaseMessage, HumanMessage

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
    Garbage,
    Html,
    Redirect,
    Refuse,
    SlowDrip,
    Stall,
)
from xai_lowcode.emulator.faults import Fault
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest

TOKEN = "at_r" + "0" * 32
MODEL = "grok-4.3"
LONG = "This model's maximum prompt length is 131072 but the request contains 200000 tokens."


def invoke(gateway: Emulator, *faults: Fault, **options: Any) -> None:
    """Send one request through LangChain, with these faults."""
    connection = {"base_url": gateway.base_url, "api_token": gateway.api_token, "max_retries": 0}
    gateway.inject(*faults)
    ChatXAILowCode(**{"model": MODEL, **connection, **options}).invoke("Hello")


def with_options(**options: Any) -> Callable[[Emulator], None]:
    """Return a trigger that sends a request with these options."""
    return lambda gateway: invoke(gateway, **options)


def with_faults(*faults: Fault, **options: Any) -> Callable[[Emulator], None]:
    """Return a trigger that sends a request with these faults."""
    return lambda gateway: invoke(gateway, *faults, **options)


def rejected(text: str, status: int = 400) -> Callable[[Emulator], None]:
    """Return a trigger that receives this error message of xAI."""
    return with_faults(Refuse(status, text))


def without_token(gateway: Emulator) -> None:
    """Create a model without a token in arguments or environment."""
    token = os.environ.pop("LOWCODEAPI_API_TOKEN", None)
    try:
        ChatXAILowCode(base_url=gateway.base_url)
    finally:
        if token is not None:
            os.environ["LOWCODEAPI_API_TOKEN"] = token


def streamed(*faults: Fault, **options: Any) -> Callable[[Emulator], None]:
    """Return a trigger that streams with these faults."""

    def stream(gateway: Emulator) -> None:
        gateway.inject(*faults)
        connection = {
            "base_url": gateway.base_url,
            "api_token": gateway.api_token,
            "max_retries": 0,
            **options,
        }
        for _ in ChatXAILowCode(model=MODEL, **connection).stream("Tell me a story."):
            pass

    return stream


def connection_refused(_: Emulator) -> None:
    """Connect to a closed port."""
    ChatXAILowCode(base_url="http://127.0.0.1:9/xai", api_token=TOKEN, max_retries=0).invoke("Hi")


def never_ready(gateway: Emulator) -> None:
    """Wait for a deferred completion that takes too long."""
    gateway.deferred_polls = 100
    invoke(gateway, deferred=PollingOptions(timeout=1.5, initial_delay=0.1, max_delay=0.2))


def add_two_responses(gateway: Emulator) -> None:
    """Add up the chunks of two responses in LangChain."""
    llm = connected(gateway)
    total: Any = None
    for prompt in ("Hello", "Tell me a story."):
        for chunk in llm.stream(prompt):
            total = chunk if total is None else total + chunk


def embed(gateway: Emulator) -> None:
    """Request embeddings from a gateway without them."""
    XAILowCodeEmbeddings(base_url=gateway.base_url, api_token=gateway.api_token).embed_query("Hi")


def download(gateway: Emulator) -> None:
    """Download a binary file."""
    image = gateway.add_file("fox.png", bytes(range(256)), "image/png")
    with Gateway(settings(gateway)) as client:
        client.download_file(image)


def invalid_id(gateway: Emulator) -> None:
    """Use an id that contains a path."""
    with Gateway(settings(gateway)) as client:
        client.get_file("../api-key")


def missing_file(gateway: Emulator) -> None:
    """Get a file that does not exist."""
    with Gateway(settings(gateway)) as client:
        client.get_file("file_0")


def unsupported_by_api(gateway: Emulator) -> None:
    """Use an option that the selected API does not support."""
    request = ChatRequest(
        model=MODEL,
        messages=[Message("user", (TextPart("Hi"),))],
        api="chat_completions",
        previous_response_id="resp_1",
    )
    ChatModel(settings(gateway)).generate(request)


def untrusted_certificate(gateway: Emulator) -> None:
    """Fail as httpx does if a certificate is not trusted."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")

    with httpx.Client(transport=httpx.MockTransport(fail)) as client:
        Gateway(settings(gateway), http_client=client).list_models()


def with_messages(messages: list[BaseMessage]) -> Callable[[Emulator], None]:
    """Return a trigger that sends these messages."""
    return lambda gateway: connected(gateway).invoke(messages)


def with_tool_choice(gateway: Emulator) -> None:
    """Pass a number as ``tool_choice``."""
    connected(gateway).invoke("Hello", tool_choice=7)


def connected(gateway: Emulator) -> ChatXAILowCode:
    """Return LangChain's model, connected to the emulator."""
    return ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token)


def unresolvable_reference(gateway: Emulator) -> None:
    """Use a schema with a reference to another document."""
    llm = connected(gateway)
    reference = {"$ref": "https://example.org/person.json"}
    schema = {"title": "Couple", "type": "object", "properties": {"wife": reference}}
    llm.with_structured_output(schema).invoke("Hello")


def invalid_option(gateway: Emulator) -> None:
    """Pass a string instead of a number to a call."""
    llm = connected(gateway)
    llm.invoke("Hello", temperature="0.5")


def unknown_tool(gateway: Emulator) -> None:
    """Set ``tool_choice`` to an unknown tool."""

    def get_weather(city: str) -> str:
        """Get the weather in a city."""
        return city

    llm = connected(gateway)
    llm.bind_tools([get_weather], tool_choice="get_time")


def other_key_name(gateway: Emulator) -> None:
    """Pass the key under ChatXAI's name."""
    ChatXAILowCode(base_url=gateway.base_url, api_token=gateway.api_token, xai_api_key="x")


def unknown_field(gateway: Emulator) -> None:
    """Pass an unknown argument to LangChain's model."""
    raise_warning(
        lambda: ChatXAILowCode(base_url=gateway.base_url, api_token=TOKEN, verbosity="low")
    )


def unsupported_parameter(gateway: Emulator) -> None:
    """Pass a parameter of OpenAILike without effect."""
    raise_warning(lambda: XAILowCode(base_url=gateway.base_url, api_token=TOKEN, api_version="1"))


def omitted_option(gateway: Emulator) -> None:
    """Use an option that the model rejects."""
    raise_warning(lambda: invoke(gateway, presence_penalty=1.0))


def raise_warning(call: Callable[[], object]) -> None:
    """Make a call and raise its warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call()


def settings(gateway: Emulator) -> Settings:
    """Return settings for the emulator, without retries."""
    connection = {"base_url": gateway.base_url, "api_token": gateway.api_token}
    return Settings.create(**connection, max_retries=0)


def account_not_connected(gateway: Emulator) -> None:
    """Use a token without an xAI account."""
    invoke(gateway, api_token=gateway.unconnected_token)


def wrong_base_url(gateway: Emulator) -> None:
    """Use a base URL without ``/xai``."""
    invoke(gateway, base_url=gateway.origin)


TRIGGERS: dict[str, Callable[[Emulator], None]] = {
    "no LowCodeAPI token was given": without_token,
    "this is a key of xAI itself": with_options(api_token="xai-" + "0" * 20),
    "it contains white space": with_options(api_token="at_r0 0"),
    "A valid API token is required": with_options(api_token="r" + "0" * 32),
    "Invalid api_token": with_options(api_token=TOKEN),
    "No access token is associated": account_not_connected,
    "Incorrect API key provided": rejected("Incorrect API key provided: xai-0…0."),
    "its value looks like a credential": with_options(model=TOKEN),
    "Not Found": wrong_base_url,
    "it is not a URL": with_options(base_url="api.lowcodeapi.com"),
    "is the API of a provider": with_options(base_url="https://api.x.ai/v1"),
    "plain http to another host": with_options(base_url="http://gateway.example/xai"),
    "Connection refused by the gateway": connection_refused,
    "certificate verify failed": untrusted_certificate,
    "The connection through the proxy": with_options(proxy="http://127.0.0.1:9"),
    "Server disconnected without sending a response": with_faults(Drop(), Drop()),
    "The request timed out": with_faults(Stall(2), timeout=0.2),
    "Bad gateway": with_faults(Html(502)),
    "The response is empty": with_faults(Empty()),
    "The response is not JSON": with_faults(
        Garbage(b"<html>Log in to the network</html>", "text/html")
    ),
    "larger than max_response_bytes": with_options(max_response_bytes=50),
    "The server redirects to": with_faults(Redirect("https://example.org/login")),
    "Too many requests": with_faults(Refuse(429, "Too many requests")),
    "all available credits": rejected("Your team has used all available credits", 403),
    "Timed out waiting for first token": with_faults(ErrorIn200()),
    "Content violates usage guidelines": rejected("Content violates usage guidelines.", 403),
    "The model … was deprecated": with_options(model="grok-beta"),
    "maximum prompt length": rejected(LONG),
    "Live search is deprecated": with_options(model_kwargs={"search_parameters": {"mode": "on"}}),
    "Failed to deserialize the JSON body": with_options(service_tier="urgent"),
    "The stream was interrupted": streamed(CutStream(after_chunks=5)),
    "The stream timed out": streamed(SlowDrip(4.0), timeout=0.8),
    "The stream ended before its terminal event": streamed(EndStreamEarly(after_chunks=5)),
    "Additional kwargs key cost_usd already exists": add_two_responses,
    "was not ready within": never_ready,
    "File not found": missing_file,
    "The gateway has no endpoint for embeddings": embed,
    "is corrupted": download,
    "invalid id": invalid_id,
    "not supported by": unsupported_by_api,
    "unresolvable $ref": unresolvable_reference,
    "messages: must not be empty": with_messages([]),
    "unsupported content block type": with_messages([HumanMessage([{"type": "audio"}])]),
    "there is no tool": unknown_tool,
    "tool_choice: invalid value": with_tool_choice,
    "must be a number": invalid_option,
    "the key is in the LowCodeAPI account": other_key_name,
    "moved to model_kwargs": unknown_field,
    "has no effect behind the gateway": unsupported_parameter,
    "it is not sent": omitted_option,
}
