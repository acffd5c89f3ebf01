"""Grok through the LowCodeAPI gateway: the transport that both adapters stand on.

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from xai_lowcode.async_client import AsyncClient
    from xai_lowcode.client import Client
    from xai_lowcode.conversation import ChatRequest, Message
    from xai_lowcode.errors import XAILowCodeError
    from xai_lowcode.gateway_model import GatewayModel
    from xai_lowcode.images import ImageRequest
    from xai_lowcode.settings import Settings

__all__ = [
    "AsyncClient",
    "ChatRequest",
    "Client",
    "GatewayModel",
    "ImageRequest",
    "Message",
    "Settings",
    "XAILowCodeError",
    "__version__",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AsyncClient": "xai_lowcode.async_client",
        "ChatRequest": "xai_lowcode.conversation",
        "Client": "xai_lowcode.client",
        "GatewayModel": "xai_lowcode.gateway_model",
        "ImageRequest": "xai_lowcode.images",
        "Message": "xai_lowcode.conversation",
        "Settings": "xai_lowcode.settings",
        "XAILowCodeError": "xai_lowcode.errors",
    },
)
