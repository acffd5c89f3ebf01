"""Select the API of a request: the one that is set, or one that supports all of it.

A dialect is imported on first use, since most programs use one.
"""

from functools import cache
from importlib import import_module

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import (
    FilePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from xai_lowcode.types.requests import ChatRequest

DIALECTS = ("chat_completions", "messages", "responses")
"""Names of the dialects: of their packages, and in ``api=``."""

import_before_fork(*(f"xai_lowcode.chat.dialects.{name}" for name in DIALECTS))

# Options that only Responses supports.
RESPONSES_ONLY = (
    "server_tools",
    "previous_response_id",
    "store",
    "include",
    "reasoning_summary",
    "max_turns",
)

# Types of parts that every API supports, and of which long conversations mostly consist.
_SUPPORTED_EVERYWHERE = frozenset({TextPart, ToolCallPart, ReasoningPart})


@cache
def get_dialect(name: str) -> Dialect:
    """Return the dialect with this name."""
    dialect: Dialect = import_module(f"xai_lowcode.chat.dialects.{name}").DIALECT
    return dialect


def select_dialect(request: ChatRequest) -> Dialect:
    """Select the dialect.

    It is ``request.api`` if set, else Chat Completions, else Responses if the request needs it.

    Raises:
        UsageError: An option is not supported by ``request.api``.
    """
    needed = [name for name in RESPONSES_ONLY if getattr(request, name) not in (None, ())]
    if needed and request.api not in {"auto", "responses"}:
        raise UsageError(
            f"{needed[0]}: not supported by {request.api}.",
            field=needed[0],
            hint="Leave api unset, or set it to 'responses'.",
        )
    return get_dialect(_select(request, needs_responses=bool(needed)))


def _select(request: ChatRequest, *, needs_responses: bool) -> str:
    if request.api != "auto":
        return request.api
    if needs_responses or "chat_completions" not in get_profile(request.model).apis:
        return "responses"
    # Only Chat Completions supports deferred completions and several choices.
    if request.deferred or (request.n or 1) > 1 or _fits_chat_completions(request):
        return "chat_completions"
    return "responses"


def _fits_chat_completions(request: ChatRequest) -> bool:
    """Return whether no message has items of Responses or inline documents."""
    for message in request.messages:
        if message.dialect == "responses":
            return False
        for part in message.parts:
            if type(part) not in _SUPPORTED_EVERYWHERE and _is_inline_document(part):
                return False
    return True


def _is_inline_document(part: Part) -> bool:
    if isinstance(part, ToolResultPart):
        return any(map(_is_inline_document, part.content))
    return isinstance(part, FilePart) and part.data is not None
