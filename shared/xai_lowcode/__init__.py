"""Grok through the LowCodeAPI gateway: the transport that both adapters stand on.

The names below are imported when they are first used.
"""

from typing import TYPE_CHECKING

from xai_lowcode._lazy import lazy_exports
from xai_lowcode._version import __version__

if TYPE_CHECKING:
    from xai_lowcode.conversation import ChatRequest, Message
    from xai_lowcode.deferral import Deferral
    from xai_lowcode.errors import XAILowCodeError
    from xai_lowcode.files import Upload
    from xai_lowcode.gateway import AsyncGateway, Gateway
    from xai_lowcode.gateway_model import GatewayModel
    from xai_lowcode.images import ImageRequest
    from xai_lowcode.settings import Settings

__all__ = [
    "AsyncGateway",
    "ChatRequest",
    "Deferral",
    "Gateway",
    "GatewayModel",
    "ImageRequest",
    "Message",
    "Settings",
    "Upload",
    "XAILowCodeError",
    "__version__",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "AsyncGateway": "xai_lowcode.gateway",
        "ChatRequest": "xai_lowcode.conversation",
        "Deferral": "xai_lowcode.deferral",
        "Gateway": "xai_lowcode.gateway",
        "GatewayModel": "xai_lowcode.gateway_model",
        "ImageRequest": "xai_lowcode.images",
        "Message": "xai_lowcode.conversation",
        "Settings": "xai_lowcode.settings",
        "Upload": "xai_lowcode.files",
        "XAILowCodeError": "xai_lowcode.errors",
    },
)
