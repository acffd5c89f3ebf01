"""LangChain integration of xAI's Grok through the LowCodeAPI gateway.

The names below are imported on first use.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from langchain_xai_lowcode.chat_models import ChatXAILowCode
    from langchain_xai_lowcode.embeddings import XAILowCodeEmbeddings
    from langchain_xai_lowcode.images import XAIImageGenerationTool, XAIImageGenerator
    from langchain_xai_lowcode.server_tools import (
        code_execution,
        file_search,
        image_generation,
        mcp,
        web_search,
        x_search,
    )
    from langchain_xai_lowcode.usage import XAIUsageCallbackHandler

__all__ = [
    "ChatXAILowCode",
    "XAIImageGenerationTool",
    "XAIImageGenerator",
    "XAILowCodeEmbeddings",
    "XAIUsageCallbackHandler",
    "__version__",
    "code_execution",
    "file_search",
    "image_generation",
    "mcp",
    "web_search",
    "x_search",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ChatXAILowCode": "langchain_xai_lowcode.chat_models",
        "XAIImageGenerationTool": "langchain_xai_lowcode.images",
        "XAIImageGenerator": "langchain_xai_lowcode.images",
        "XAILowCodeEmbeddings": "langchain_xai_lowcode.embeddings",
        "XAIUsageCallbackHandler": "langchain_xai_lowcode.usage",
        "code_execution": "langchain_xai_lowcode.server_tools",
        "file_search": "langchain_xai_lowcode.server_tools",
        "image_generation": "langchain_xai_lowcode.server_tools",
        "mcp": "langchain_xai_lowcode.server_tools",
        "web_search": "langchain_xai_lowcode.server_tools",
        "x_search": "langchain_xai_lowcode.server_tools",
    },
    extra="langchain",
    requires="langchain_core",
)
