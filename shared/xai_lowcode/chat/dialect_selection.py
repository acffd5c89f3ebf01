"""Select the API of a request: the one that is set, or one that supports all of it.

xAI recommends Responses, so it is selected unless only Chat Completions can serve the request: for
an option that Responses does not have, a model that it does not serve, or a gateway that does not
forward it. The last two are recorded when a request is rejected.

A dialect is imported on first use, since most programs use one.
"""

import logging
import re
from functools import cache
from importlib import import_module
from typing import Any

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    ModelNotFoundError,
    NotFoundError,
    RouteNotFoundError,
    UsageError,
)
from xai_lowcode.types.requests import ChatRequest

DIALECTS = ("chat_completions", "messages", "responses")
"""Names of the dialects: of their packages, and in ``api=``."""

import_before_fork(*(f"xai_lowcode.chat.dialects.{name}" for name in DIALECTS))

RESPONSES_ONLY = ("server_tools", "previous_response_id", "store", "include", "max_turns")
"""Options without which a request has another meaning, and that only Responses supports."""

RESPONSES_PREFERRED = (
    "reasoning_summary",
    "prompt_cache_key",
    "top_k",
    "min_p",
    "guidelines",
    "no_inline_citations",
)
"""Other options that only Responses supports; the other APIs drop them with a warning."""

CHAT_COMPLETIONS_PREFERRED = ("stop", "presence_penalty", "frequency_penalty")
"""Options that only Chat Completions supports, for the few models that do not reject them."""

_LOGGER = logging.getLogger("xai_lowcode")

_INPUT_IS_MISSING = re.compile(
    r"missing (?:required )?(?:field|parameter|property)?[\W_]*input\b"
    r"|\binput\W* (?:field |parameter |property )?(?:is )?(?:required|missing)",
    re.IGNORECASE,
)
# Without the name of a model or the id of a file.
_PATH_IS_UNKNOWN = re.compile(
    r"\W*(?:the )?(?:requested )?(?:page|route|endpoint|path|url|resource)?"
    r"\s*(?:was )?not found\W*",
    re.IGNORECASE,
)
_API_IS_UNSUPPORTED = re.compile(
    r"(?=.*\bnot (?:\w+ )?support|.*\bunsupported)(?=.*\bresponses\b|.*chat/completions)",
    re.IGNORECASE | re.DOTALL,
)

# Base URLs that do not serve Responses, and pairs with a model that they do not serve over it.
# Shared by the process, since a gateway is the same for all clients.
_rejected_by: set[str | tuple[str, str]] = set()


@cache
def get_dialect(name: str) -> Dialect:
    """Return the dialect with this name."""
    dialect: Dialect = import_module(f"xai_lowcode.chat.dialects.{name}").DIALECT
    return dialect


def select_dialect(request: ChatRequest, base_url: str = "") -> Dialect:
    """Select the dialect.

    It is ``request.api`` if set, else Responses, else Chat Completions if only it can serve the
    request.

    Args:
        request: The request.
        base_url: Base URL of the gateway; it may be known not to serve Responses.

    Raises:
        UsageError: An option is not supported by ``request.api``.
    """
    if request.api not in {"auto", "responses"}:
        for name in RESPONSES_ONLY:
            if getattr(request, name) not in (None, ()):
                raise UsageError(
                    f"{name}: not supported by {request.api}.",
                    field=name,
                    hint="Leave api unset, or set it to 'responses'.",
                )
    return get_dialect(request.api if request.api != "auto" else _select(request, base_url))


def detect_dialect(dialect: Dialect, body: Any) -> Dialect:
    """Detect the dialect of a response or of the first chunk of a stream.

    A gateway or mock server may answer every chat request with a chat completion; the response was
    paid for, so it is parsed.

    Args:
        dialect: The dialect of the request.
        body: The body of the response, or the chunk.
    """
    if (
        dialect.name == "responses"
        and isinstance(body, dict)
        and isinstance(body.get("choices"), list)
        and body.keys().isdisjoint(("output", "type"))
    ):
        return get_dialect("chat_completions")
    return dialect


def _select(request: ChatRequest, base_url: str) -> str:
    profile = get_profile(request.model)
    if _needs_responses(request) or "chat_completions" not in profile.apis:
        return "responses"
    if (
        request.deferred
        or (request.n or 1) > 1
        or "responses" not in profile.apis
        or not _rejected_by.isdisjoint((base_url, (base_url, request.model)))
    ):
        return "chat_completions"
    if any(
        getattr(request, name) and name not in profile.unsupported
        for name in CHAT_COMPLETIONS_PREFERRED
    ) and not any(getattr(request, name) for name in RESPONSES_PREFERRED):
        return "chat_completions"
    return "responses"


def _needs_responses(request: ChatRequest) -> bool:
    """Return whether Chat Completions, which stores nothing, cannot replace Responses."""
    return bool(
        request.server_tools
        or request.previous_response_id
        or request.store
        or request.max_turns
        or set(request.include) - {"reasoning.encrypted_content"}
    )


def record_rejection(request: ChatRequest, base_url: str, error: Exception) -> bool:
    """Record that a gateway or model does not serve Responses, if an error shows it.

    Args:
        request: The rejected request. It was not processed.
        base_url: Base URL of the gateway.
        error: The error of the request over Responses.

    Returns:
        Whether to send the request over Chat Completions.
    """
    if request.api != "auto" or _needs_responses(request):
        return False
    subject: str | tuple[str, str]
    match error:
        case ModelNotFoundError():
            return False
        case RouteNotFoundError() | APIStatusError(status_code=405):
            subject = base_url
        case NotFoundError() if error.source != "provider":
            subject = base_url
        case NotFoundError() if _PATH_IS_UNKNOWN.fullmatch(error.message):
            subject = base_url
        case BadRequestError() if _INPUT_IS_MISSING.search(error.message):
            subject = base_url
        case BadRequestError() | NotFoundError() if _API_IS_UNSUPPORTED.search(error.message):
            subject = base_url, request.model
        case _:
            return False
    if subject not in _rejected_by:
        _rejected_by.add(subject)
        _LOGGER.info(
            "%s does not serve Responses%s: Chat Completions is used instead.",
            base_url,
            "" if subject == base_url else f" with {request.model}",
        )
    return select_dialect(request, base_url).name != "responses"
