"""Which wire form carries a request: the one asked for, or the one that loses nothing.

A form is imported when it is first spoken, since most programs speak one.
"""

from functools import cache
from importlib import import_module

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import (
    FilePart,
    Message,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest

DIALECTS = {
    "chat_completions": "ChatCompletions",
    "completions": "Completions",
    "messages": "Messages",
    "responses": "Responses",
}
"""Each wire form: the name users choose it by, which is its module's too, and its class."""

import_before_fork(*(f"xai_lowcode.chat.dialects.{name}" for name in DIALECTS))

# Options that only responses can carry, so that asking for one chooses them.
RESPONSES_ONLY = (
    "server_tools",
    "previous_response_id",
    "store",
    "include",
    "reasoning_summary",
    "max_turns",
)

# Most parts of long conversations, which need no second look.
_PLAIN = frozenset({TextPart, ToolCallPart, ReasoningPart})


@cache
def get_dialect(name: str) -> Dialect:
    """The wire form of this name."""
    made: Dialect = getattr(import_module(f"xai_lowcode.chat.dialects.{name}"), DIALECTS[name])()
    return made


def select_dialect(request: ChatRequest) -> Dialect:
    """The wire form: the one asked for, else chat completions unless they cannot carry it.

    Raises:
        UsageError: The form asked for has nothing like one of the options.
    """
    needed = [name for name in RESPONSES_ONLY if getattr(request, name) not in (None, ())]
    if needed and request.api not in {"auto", "responses"}:
        raise UsageError(
            f"{needed[0]}: {request.api} have nothing like it.",
            field=needed[0],
            hint="Leave api out, or set it to 'responses'.",
        )
    return get_dialect(_select(request, needs_responses=bool(needed)))


def stored_response_is_current(message: Message) -> bool:
    """Whether the response that xAI stored says what an answer in a conversation still says.

    Somebody may have corrected it; ``previous_response_id`` would bring the old answer back.
    """
    says_its_items: bool = import_module(
        "xai_lowcode.chat.dialects.responses.request"
    ).says_its_items(message)
    return says_its_items


def _select(request: ChatRequest, *, needs_responses: bool) -> str:
    if request.api != "auto":
        return request.api
    if needs_responses or "chat_completions" not in get_profile(request.model).apis:
        return "responses"
    # Several answers and deferred ones are what chat completions alone can do.
    only_chat = request.deferred or (request.n or 1) > 1
    return "chat_completions" if only_chat or _fits_chat_completions(request) else "responses"


def _fits_chat_completions(request: ChatRequest) -> bool:
    """Whether chat completions lose nothing: no item of another form, no document given as data."""
    for message in request.messages:
        if message.form == "responses":
            return False
        for part in message.parts:
            if type(part) not in _PLAIN and _is_inline_data(part):
                return False
    return True


def _is_inline_data(part: Part) -> bool:
    if isinstance(part, ToolResultPart):
        return any(map(_is_inline_data, part.content))
    return isinstance(part, FilePart) and part.data is not None
