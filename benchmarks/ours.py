"""This project, as a contender in both frameworks."""

from typing import Any

from asking import TOKEN
from frameworks import InLangChain, InLlamaIndex


class OursInLangChain(InLangChain):
    """ChatXAILowCode."""

    name = "xai-lowcode, LangChain"

    def __init__(self, address: str, api: Any = "chat_completions") -> None:
        from langchain_xai_lowcode import ChatXAILowCode, XAIImageGenerator

        reach: Any = {"base_url": f"{address}/xai", "api_token": TOKEN, "max_retries": 0}
        super().__init__(ChatXAILowCode(model="grok-4.7", api=api, **reach))
        self.generator = XAIImageGenerator(response_format="b64_json", **reach)

    def picture(self) -> Any:
        """One picture, as a content block."""
        return self.generator.invoke("x")


class OursInLlamaIndex(InLlamaIndex):
    """XAILowCode."""

    name = "xai-lowcode, LlamaIndex"

    def __init__(self, address: str, api: Any = "chat_completions") -> None:
        from llama_index_xai_lowcode import XAIImageGenerator, XAILowCode

        reach: Any = {"base_url": f"{address}/xai", "api_token": TOKEN, "max_retries": 0}
        super().__init__(XAILowCode(model="grok-4.7", api=api, **reach))
        self.generator = XAIImageGenerator(**reach)

    def picture(self) -> Any:
        """One picture, as an image block."""
        return self.generator.generate("x", response_format="b64_json")
