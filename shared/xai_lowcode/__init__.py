"""Grok through the LowCodeAPI gateway: the transport that both adapters stand on.

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from xai_lowcode.api.client import AsyncGateway, Gateway
    from xai_lowcode.api.files import Upload
    from xai_lowcode.api.images import images
    from xai_lowcode.chat.model import ChatModel
    from xai_lowcode.errors import XAILowCodeError
    from xai_lowcode.settings import Settings
    from xai_lowcode.types.images import ImageRequest
    from xai_lowcode.types.messages import Message
    from xai_lowcode.types.requests import ChatRequest, PollingOptions

__all__ = [
    "AsyncGateway",
    "ChatModel",
    "ChatRequest",
    "Gateway",
    "ImageRequest",
    "Message",
    "PollingOptions",
    "Settings",
    "Upload",
    "XAILowCodeError",
    "__version__",
    "images",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AsyncGateway": "xai_lowcode.api.client",
        "ChatRequest": "xai_lowcode.types.requests",
        "PollingOptions": "xai_lowcode.types.requests",
        "Gateway": "xai_lowcode.api.client",
        "ChatModel": "xai_lowcode.chat.model",
        "ImageRequest": "xai_lowcode.types.images",
        "Message": "xai_lowcode.types.messages",
        "Settings": "xai_lowcode.settings",
        "Upload": "xai_lowcode.api.files",
        "images": "xai_lowcode.api.images",
        "XAILowCodeError": "xai_lowcode.errors",
    },
)
