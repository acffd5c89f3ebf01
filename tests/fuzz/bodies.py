"""Whole bodies to be spoiled: what the emulator answers to questions of every kind, in every form.

The same questions seed the fuzzer of ``make fuzz``.
"""

import re
from functools import cache
from typing import Any, NamedTuple

import httpx

from xai_lowcode.emulator import running

Json = dict[str, Any]

# Images and seals are long, and a few of their signs are as good.
_LONG = re.compile(rb"[A-Za-z0-9+/]{64,}=*")
_SHORT = b"iVBORw0KGgoAAAAN"

_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
_FUNCTION = {"name": "add", "description": "Adds", "parameters": _SCHEMA}
_CUSTOM = {"name": "add", "description": "Adds", "input_schema": _SCHEMA}
_ASKED = [{"role": "user", "content": "call add"}]
_CHAT = {"model": "grok-3-mini", "messages": _ASKED}
_MESSAGE = {"model": "grok-4.3", "messages": _ASKED, "max_tokens": 1000}
_RESPONSE = {"model": "grok-4.3", "input": "Search the web and x, compute 3 and 4, call add"}
_SERVER_TOOLS = [
    {"type": "web_search"},
    {"type": "x_search"},
    {"type": "code_interpreter"},
    {"type": "image_generation"},
]

QUESTIONS: dict[str, list[Json]] = {
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
    """What came, as bytes.

    Attributes:
        plain: Answers in one piece, by API.
        streams: Streams, by API.
        others: Answers of the smaller endpoints, refusals among them.
    """

    plain: dict[str, list[bytes]]
    streams: dict[str, list[bytes]]
    others: list[bytes]


@cache
def bodies() -> Bodies:
    """Asks the emulator everything, once for each process."""
    with (
        running(envelope="bare", embeddings=True) as emulator,
        httpx.Client(
            base_url=emulator.base_url, params={"api_token": emulator.api_token}, trust_env=False
        ) as http,
    ):
        return Bodies(
            {form: _asked(http, form, stream=False) for form in QUESTIONS},
            {form: _asked(http, form, stream=True) for form in QUESTIONS},
            _told(http, emulator),
        )


def _asked(http: httpx.Client, form: str, *, stream: bool) -> list[bytes]:
    answers = [http.post(_PATHS[form], json={**q, "stream": stream}) for q in QUESTIONS[form]]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    return [_LONG.sub(_SHORT, answer.content) for answer in answers]


def _told(http: httpx.Client, emulator: Any) -> list[bytes]:
    found = []
    for emulator.envelope in ("bare", "result", "data"):
        found += [http.get(path).content for path in _OTHERS]
        image = {"model": "grok-imagine-image", "prompt": "A cat", "response_format": "b64_json"}
        found.append(http.post("/v1/images/generations", json=image).content)
        text = {"model": "grok-4.3", "text": "Hello"}
        found.append(http.post("/v1/tokenize-text", json=text).content)
        found.append(http.post("/v1/embeddings", json={"model": "e", "input": ["a"]}).content)
        found.append(http.post("/v1/chat/completions", json={"model": "unknown"}).content)
    return [_LONG.sub(_SHORT, body) for body in found]
