"""Grok for LangChain, through the LowCodeAPI gateway.

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from langchain_xai_lowcode.chat_models import ChatXAILowCode
    from langchain_xai_lowcode.images import XAIImageGenerator

__all__ = ["ChatXAILowCode", "XAIImageGenerator", "__version__"]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "ChatXAILowCode": "langchain_xai_lowcode.chat_models",
        "XAIImageGenerator": "langchain_xai_lowcode.images",
    },
    extra="langchain",
    requires="langchain_core",
)
