"""Keys for other services, hidden in what is bound to a model.

Frameworks give tools to every tracer, put them into prints and cache keys. An MCP server's key has
no business there.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from pydantic import SecretStr

_FINGERPRINT = 8


class HiddenKey(SecretStr):
    """A key that shows as stars and a fingerprint.

    With the stars alone, people with different keys would share an answer in a framework's cache.
    """

    def _display(self) -> str:
        digest = sha256(self.get_secret_value().encode("utf-8", "replace")).hexdigest()
        return f"**********{digest[:_FINGERPRINT]}"


def hidden(tool: Mapping[str, Any]) -> dict[str, Any]:
    """A tool that xAI runs, with its ``authorization`` and the values of its ``headers`` hidden."""
    return {name: _hide(name, value) for name, value in tool.items()}


def _hide(name: str, value: Any) -> Any:
    match name, value:
        case "authorization", str():
            return HiddenKey(value)
        case "headers", Mapping():
            return {key: HiddenKey(v) if isinstance(v, str) else v for key, v in value.items()}
        case _:
            return value


def revealed(tool: Any) -> Any:
    """The same tool with what was hidden, to be sent."""
    if isinstance(tool, SecretStr):
        return tool.get_secret_value()
    if isinstance(tool, Mapping):
        return {name: revealed(value) for name, value in tool.items()}
    return tool
