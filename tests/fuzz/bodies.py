"""Response bodies of the emulator, for the tests to change: requests of every kind, in each API.

The same bodies seed the fuzzer of ``make fuzz``.
"""

import re
from functools import cache
from typing import Any, NamedTuple

import httpx

from xai_lowcode.emulator import running

Json = dict[str, Any]

# Long base64 (images, encrypted reasoning) is shortened, which saves time.
_LONG = re.compile(rb"[A-Za-z0-9+/]{64,}=*")
_SHORT = b"iVBORw0KGgoAAAAN"

_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
_FUNCTION = {"name": "add", "description": "Adds", "parameters": _SCHEMA}
_CUSTOM = {"name": "add", "description": "Adds", "input_schema": _SCHEMA}
_PROMPT = [{"role": "user", "content": "call add"}]
_CHAT = {"model": "grok-3-mini", "messages": _PROMPT}
_MESSAGE = {"model": "grok-4.3", "messages": _PROMPT, "max_tokens": 1000}
_RESPONSE = {"model": "grok-4.3", "input": "Search the web and x, compute 3 and 4, call add"}
_SERVER_TOOLS = [
    {"type": "web_search"},
    {"type": "x_search"},
    {"type": "code_interpreter"},
    {"type": "image_generation"},
]

REQUESTS: dict[str, list[Json]] = {
    "chat_completions": [
        _CHAT,
        {**_CHAT, "tools": [{"type": "function", "function": _FUNCTION}]},
        {**_CHAT, "model": "grok-3", "n": 2, "logprobs": True, "top_logprobs": 2},
    ],
    "messages": [
        _MESSAGE,
        {**_MESSAGE, "tools": [_CUSTOM]},
    ],
    "responses": [
        _RESPONSE,
        {**_RESPONSE, "include": ["reasoning.encrypted_content"]},
        {**_RESPONSE, "tools": [{"type": "function", **_FUNCTION}]},
        {**_RESPONSE, "tools": _SERVER_TOOLS},
        {**_RESPONSE, "input": "Draw a cat", "tools": _SERVER_TOOLS},
    ],
}
_PATHS = {
    "chat_completions": "/v1/chat/completions",
    "messages": "/v1/messages",
    "responses": "/v1/responses",
}
_OTHERS = (
    "/v1/models",
    "/v1/language-models",
    "/v1/image-generation-models",
    "/v1/api-key",
    "/v1/models/grok-4.3",
    "/v1/models/unknown",
    "/v1/files",
    "/v1/nothing",
)


class Bodies(NamedTuple):
    """The response bodies.

    Attributes:
        plain: Plain responses, by API.
        streams: Streams, by API.
        others: Responses of the other endpoints, including errors.
    """

    plain: dict[str, list[bytes]]
    streams: dict[str, list[bytes]]
    others: list[bytes]


@cache
def bodies() -> Bodies:
    """Send all requests to the emulator, once for each process."""
    with (
        running(envelope="bare", embeddings=True) as emulator,
        httpx.Client(
            base_url=emulator.base_url, params={"api_token": emulator.api_token}, trust_env=False
        ) as http,
    ):
        return Bodies(
            {api: _send_requests(http, api, stream=False) for api in REQUESTS},
            {api: _send_requests(http, api, stream=True) for api in REQUESTS},
            _send_other_requests(http, emulator),
        )


def _send_requests(http: httpx.Client, api: str, *, stream: bool) -> list[bytes]:
    responses = [http.post(_PATHS[api], json={**q, "stream": stream}) for q in REQUESTS[api]]
    assert all(response.is_success for response in responses), [
        response.text for response in responses
    ]
    return [_LONG.sub(_SHORT, response.content) for response in responses]


def _send_other_requests(http: httpx.Client, emulator: Any) -> list[bytes]:
    contents = []
    for emulator.envelope in ("bare", "result", "data"):
        contents += [http.get(path).content for path in _OTHERS]
        image = {"model": "grok-imagine-image", "prompt": "A cat", "response_format": "b64_json"}
        contents.append(http.post("/v1/images/generations", json=image).content)
        text = {"model": "grok-4.3", "text": "Hello"}
        contents.append(http.post("/v1/tokenize-text", json=text).content)
        contents.append(http.post("/v1/embeddings", json={"model": "e", "input": ["a"]}).content)
        contents.append(http.post("/v1/chat/completions", json={"model": "unknown"}).content)
    return [_LONG.sub(_SHORT, body) for body in contents]
