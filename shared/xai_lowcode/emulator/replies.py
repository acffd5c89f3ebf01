"""Scripted replies, in place of what the fake model generates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator.json_values import dump_json


@dataclass(frozen=True, slots=True)
class Reply:
    """A response of a test's own.

    Attributes:
        content: The text, or a value that is written as JSON, as for structured output.
        tool_calls: The name and the arguments of each function call. A string is sent as it is, for
            arguments that are not valid JSON; by Messages, whose arguments are no text, as a value.
        image: The bytes of a generated image. Such a reply is for the images endpoint only.
        usage: Token counts that replace the emulator's own: `input_tokens`, of which
            `cached_tokens`, and `output_tokens`, of which `reasoning_tokens`; and
            `cost_in_usd_ticks`.
        when: Whether the reply is for a request with this body. A reply with a condition is used
            for every such request; one without is used once, in order.

    Raises:
        ValueError: A name in `usage` is unknown.
    """

    content: Any = ""
    tool_calls: Sequence[tuple[str, Mapping[str, Any] | str]] = ()
    image: bytes | None = None
    usage: Mapping[str, int] | None = None
    when: Callable[[Any], bool] | None = None

    def __post_init__(self) -> None:
        unknown = sorted((self.usage or {}).keys() - USAGE)
        if unknown:
            raise ValueError(f"usage: must have only {sorted(USAGE)}, got {unknown}")

    @property
    def text(self) -> str:
        """The content as text."""
        if isinstance(self.content, str):
            return self.content
        return dump_json(self.content)


USAGE = frozenset(
    {"input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "cost_in_usd_ticks"}
)


def take_reply(replies: list[Reply], body: Any, *, image: bool = False) -> Reply | None:
    """Return the first reply for a request, and remove it unless it has a condition."""
    reply = find_reply(replies, body, image=image)
    if reply is not None and reply.when is None:
        replies.remove(reply)
    return reply


def find_reply(replies: list[Reply], body: Any, *, image: bool = False) -> Reply | None:
    """Return the first reply for a request; those with a condition come first."""
    fitting = [reply for reply in replies if (reply.image is not None) == image]
    conditional = (reply for reply in fitting if reply.when is not None and reply.when(body))
    ordered = (reply for reply in fitting if reply.when is None)
    return next(conditional, None) or next(ordered, None)
