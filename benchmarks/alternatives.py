"""What people use today: OpenAI's SDK and the packages on it, asked without the envelope."""

import os
from collections.abc import Iterator
from typing import Any

from asking import HISTORY, QUESTION, TOKEN, TOOLS, Contender
from frameworks import InLangChain, InLlamaIndex


class OpenAISDK(Contender):
    """The SDK itself."""

    name = "openai SDK"

    def __init__(self, address: str) -> None:
        import openai

        reach: Any = {"base_url": f"{address}/v1", "api_key": TOKEN, "max_retries": 0}
        self.client = openai.OpenAI(**reach)
        self.async_client = openai.AsyncOpenAI(**reach)
        self.asked: Any = {"model": "grok-4.7", "messages": QUESTION}

    def invoke(self) -> Any:
        """One short answer."""
        return self.client.chat.completions.create(**self.asked)

    def stream(self) -> int:
        """One stream, to its end."""
        return sum(1 for _ in self.first())

    def first(self) -> Iterator[Any]:
        """One stream, a piece at a time."""
        return iter(self.client.chat.completions.create(**self.asked, stream=True))

    def history(self) -> Any:
        """An answer to a long conversation with tools."""
        asked: Any = {"model": "grok-4.7", "messages": HISTORY, "tools": TOOLS}
        return self.client.chat.completions.create(**asked)

    def picture(self) -> Any:
        """One picture, as base64."""
        return self.client.images.generate(prompt="x", model="m", response_format="b64_json")

    async def ainvoke(self) -> Any:
        """One short answer."""
        return await self.async_client.chat.completions.create(**self.asked)

    async def astream(self) -> int:
        """One stream, to its end."""
        pieces = 0
        async for _ in await self.async_client.chat.completions.create(**self.asked, stream=True):
            pieces += 1
        return pieces


class LangChainOpenAI(InLangChain):
    """ChatOpenAI."""

    name = "langchain-openai"

    def __init__(self, address: str) -> None:
        from langchain_openai import ChatOpenAI

        reach: Any = {"base_url": f"{address}/v1", "api_key": TOKEN, "max_retries": 0}
        super().__init__(ChatOpenAI(model="grok-4.7", **reach))


class LangChainXAI(InLangChain):
    """ChatXAI."""

    name = "langchain-xai"

    def __init__(self, address: str) -> None:
        from langchain_xai import ChatXAI

        reach: Any = {"xai_api_base": f"{address}/v1/", "api_key": TOKEN, "max_retries": 0}
        super().__init__(ChatXAI(model="grok-4.7", **reach))


class LangChainLiteLLM(InLangChain):
    """ChatLiteLLM."""

    name = "langchain-litellm"
    slow = True

    def __init__(self, address: str) -> None:
        # Else it looks for prices on the internet.
        os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
        from langchain_litellm import ChatLiteLLM

        reach: Any = {"api_base": f"{address}/v1", "api_key": TOKEN, "max_retries": 0}
        super().__init__(ChatLiteLLM(model="openai/grok-4.7", **reach))


class LlamaIndexOpenAILike(InLlamaIndex):
    """OpenAILike."""

    name = "llama-index OpenAILike"

    def __init__(self, address: str) -> None:
        from llama_index.llms.openai_like import OpenAILike

        flags: Any = {"is_chat_model": True, "is_function_calling_model": True, "max_retries": 0}
        reach: Any = {"api_base": f"{address}/v1", "api_key": TOKEN, "context_window": 500_000}
        super().__init__(OpenAILike(model="grok-4.7", **flags, **reach))
