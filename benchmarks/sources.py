"""Where the hand-made models get their words: from a constant, or from the gateway with httpx."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Protocol

import httpx

Message = dict[str, Any]


class Source(Protocol):
    """Gives answers, whole and in pieces."""

    def answer(self, messages: Sequence[Message], **more: Any) -> Any:
        """One answer."""

    def words(self, messages: Sequence[Message]) -> Iterator[str]:
        """One answer, a word at a time."""

    async def aanswer(self, messages: Sequence[Message], **more: Any) -> Any:
        """One answer."""

    def awords(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """One answer, a word at a time."""


class Constant:
    """Says the same, so many times; nobody is asked."""

    def __init__(self, words: int) -> None:
        self._words = words

    def answer(self, _: Sequence[Message], **__: Any) -> Any:
        """A constant."""
        return "words"

    def words(self, _: Sequence[Message]) -> Iterator[str]:
        """As many constants."""
        for _number in range(self._words):
            yield "word "

    async def aanswer(self, _: Sequence[Message], **__: Any) -> Any:
        """A constant."""
        return "words"

    async def awords(self, _: Sequence[Message]) -> AsyncIterator[str]:
        """As many constants."""
        for _number in range(self._words):
            yield "word "


class HttpxSource:
    """What somebody writes who has read the API's pages and wants no package."""

    def __init__(self, address: str, api: str = "chat_completions") -> None:
        self.url = f"{address}/v1/{ {'chat_completions': 'chat/completions'}.get(api, api) }"
        self.api = api
        self.client = httpx.Client(timeout=60)
        self.async_client = httpx.AsyncClient(timeout=httpx.Timeout(60, pool=None))

    def answer(self, messages: Sequence[Message], **more: Any) -> Any:
        """One answer."""
        return self._read(self.client.post(self.url, json=self._body(messages, **more)))

    def words(self, messages: Sequence[Message]) -> Iterator[str]:
        """One answer, a word at a time."""
        body = self._body(messages, stream=True)
        with self.client.stream("POST", self.url, json=body) as answer:
            for line in answer.iter_lines():
                if (word := self._word(line)) is not None:
                    yield word

    async def aanswer(self, messages: Sequence[Message], **more: Any) -> Any:
        """One answer."""
        body = self._body(messages, **more)
        return self._read(await self.async_client.post(self.url, json=body))

    async def awords(self, messages: Sequence[Message]) -> AsyncIterator[str]:
        """One answer, a word at a time."""
        body = self._body(messages, stream=True)
        async with self.async_client.stream("POST", self.url, json=body) as answer:
            async for line in answer.aiter_lines():
                if (word := self._word(line)) is not None:
                    yield word

    def _body(self, messages: Sequence[Message], **more: Any) -> dict[str, Any]:
        key = "input" if self.api == "responses" else "messages"
        limit = {"max_tokens": 1000} if self.api == "messages" else {}
        if self.api == "responses" and "tools" in more:
            more["tools"] = [{"type": "function", **tool["function"]} for tool in more["tools"]]
        return {"model": "grok-4.7", key: messages, **limit, **more}

    def _read(self, answer: httpx.Response) -> Any:
        body = json.loads(answer.content)
        if self.api == "chat_completions":
            return body["choices"][0]["message"]["content"]
        if self.api == "messages":
            return body["content"][0]["text"]
        contents = (item["content"] for item in body["output"] if item["type"] == "message")
        return "".join(content[0]["text"] for content in contents)

    def _word(self, line: str) -> str | None:
        if not line.startswith("data: ") or line == "data: [DONE]":
            return None
        chunk = json.loads(line[6:])
        if self.api == "chat_completions":
            return chunk["choices"][0]["delta"].get("content") if chunk["choices"] else None
        delta = chunk.get("delta")
        return delta.get("text") if isinstance(delta, dict) else delta
