"""The source of the text in a baseline's response: a constant, or a server called with httpx."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Protocol

import httpx

from benchmarks.inputs import API, MODEL, ClientConfig, Message

Tools = Sequence[dict[str, Any]]
_PATHS: dict[API, str] = {
    "responses": "responses",
    "chat_completions": "chat/completions",
    "messages": "messages",
}


class Backend(Protocol):
    """Generates the text of a response, whole or as chunks."""

    def generate(self, messages: Sequence[Message], /, tools: Tools = ()) -> str:
        """Return the text of a response."""

    def stream(self, messages: Sequence[Message], /) -> Iterator[str]:
        """Yield the text of a response in chunks."""

    async def agenerate(self, messages: Sequence[Message], /, tools: Tools = ()) -> str:
        """Return the text of a response."""

    def astream(self, messages: Sequence[Message], /) -> AsyncIterator[str]:
        """Yield the text of a response in chunks."""


class ConstantBackend:
    """Returns constants and sends no request.

    Args:
        chunks: Number of chunks in a stream.
    """

    def __init__(self, chunks: int) -> None:
        self._chunks = chunks

    def generate(self, _: Sequence[Message], /, tools: Tools = ()) -> str:  # noqa: ARG002
        """Return a constant."""
        return "words"

    def stream(self, _: Sequence[Message], /) -> Iterator[str]:
        """Yield a constant for each chunk."""
        for _number in range(self._chunks):
            yield "word "

    async def agenerate(self, _: Sequence[Message], /, tools: Tools = ()) -> str:  # noqa: ARG002
        """Return a constant."""
        return "words"

    async def astream(self, _: Sequence[Message], /) -> AsyncIterator[str]:
        """Yield a constant for each chunk."""
        for _number in range(self._chunks):
            yield "word "


class HttpxBackend:
    """Sends requests with httpx, and reads no more of a response than its text.

    Args:
        config: Base URL and API.
    """

    def __init__(self, config: ClientConfig) -> None:
        self._url = f"{config.base_url}/v1/{_PATHS[config.api]}"
        self._api = config.api
        self.client = httpx.Client(timeout=60)
        self.async_client = httpx.AsyncClient(timeout=httpx.Timeout(60, pool=None))

    def generate(self, messages: Sequence[Message], /, tools: Tools = ()) -> str:
        """Return the text of a response."""
        return self._parse_response(
            self.client.post(self._url, json=self._body(messages, tools=tools))
        )

    def stream(self, messages: Sequence[Message], /) -> Iterator[str]:
        """Yield the text of a response in chunks."""
        body = self._body(messages, stream=True)
        with self.client.stream("POST", self._url, json=body) as response:
            for line in response.iter_lines():
                if (text := self._parse_line(line)) is not None:
                    yield text

    async def agenerate(self, messages: Sequence[Message], /, tools: Tools = ()) -> str:
        """Return the text of a response."""
        body = self._body(messages, tools=tools)
        return self._parse_response(await self.async_client.post(self._url, json=body))

    async def astream(self, messages: Sequence[Message], /) -> AsyncIterator[str]:
        """Yield the text of a response in chunks."""
        body = self._body(messages, stream=True)
        async with self.async_client.stream("POST", self._url, json=body) as response:
            async for line in response.aiter_lines():
                if (text := self._parse_line(line)) is not None:
                    yield text

    def _body(
        self, messages: Sequence[Message], *, tools: Tools = (), stream: bool = False
    ) -> dict[str, Any]:
        key = "input" if self._api == "responses" else "messages"
        body: dict[str, Any] = {"model": MODEL, key: messages}
        if self._api == "messages":
            body["max_tokens"] = 1000
        if tools and self._api == "responses":
            body["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
        elif tools:
            body["tools"] = tools
        if stream:
            body["stream"] = True
        return body

    def _parse_response(self, response: httpx.Response) -> str:
        body = json.loads(response.content)
        if self._api == "chat_completions":
            return str(body["choices"][0]["message"]["content"])
        if self._api == "messages":
            return str(body["content"][0]["text"])
        contents = (item["content"] for item in body["output"] if item["type"] == "message")
        return "".join(content[0]["text"] for content in contents)

    def _parse_line(self, line: str) -> str | None:
        """Return the text in a line of an event stream, or None."""
        if not line.startswith("data: ") or line == "data: [DONE]":
            return None
        chunk = json.loads(line[6:])
        if self._api == "chat_completions":
            return chunk["choices"][0]["delta"].get("content") if chunk["choices"] else None
        delta = chunk.get("delta")
        return delta.get("text") if isinstance(delta, dict) else delta
