"""Select the API of a request: the one that is set, or one that supports all of it.

xAI recommends Responses, so it is selected unless only Chat Completions can serve the request: for
an option that Responses does not have, a model that it does not serve, or a gateway that does not
forward it. The last two are recorded when a request is rejected.

A dialect is imported on first use, since most programs use one.
"""

import logging
import re
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Any

from xai_lowcode._internal.fork_safety import import_before_fork
from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.profiles import get_profile
from xai_lowcode.chat.unsupported_parts import render_request
from xai_lowcode.errors import (
    APIStatusError,
    BadRequestError,
    ModelNotFoundError,
    NotFoundError,
    RouteNotFoundError,
    UsageError,
)
from xai_lowcode.types.requests import ENCRYPTED_REASONING, ChatRequest

DIALECTS = ("chat_completions", "messages", "responses")
"""Names of the dialects: of their packages, and in ``api=``."""

import_before_fork(*(f"xai_lowcode.chat.dialects.{name}.stream" for name in DIALECTS))

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

# The body was forwarded to Chat Completions, or without its input.
_INPUT_IS_LOST = (
    r"(?i)"
    r"missing (?:required )?(?:field|parameter|property)?[\W_]*(?:input|messages)\b"
    r"|\b(?:input|messages)\W* (?:field |parameter |property )?(?:is )?(?:required|missing)"
    r"|(?:unknown|unrecognized)[\w ]*(?:parameter|argument|field)[\w ]*\W+input\b"
    r"|\bloc\b.{0,20}\bbody\b\W+(?:input|messages)\b"
)
# Without the name of a model or the id of a file.
_PATH_IS_UNKNOWN = (
    r"(?is)"
    r"\W*(?:404\W*)?(?:the )?(?:requested )?(?:page|route|endpoint|path|url)?"
    r"\s*(?:was )?not found\W*"
    r"|cannot post .*|.*(?:unknown|no such) (?:endpoint|route|path).*"
)
_API_IS_UNSUPPORTED = (
    r"(?is)"
    r"(?=.*\bnot (?:\w+ )?(?:support|available)|.*\bunsupported|.*\bonly supports?\b"
    r"|.*\bunknown endpoint)"
    r"(?=.*\bresponses (?:api|endpoint)|.*endpoint\W+responses\b|.*/responses\b"
    r"|.*chat.completions)"
)

# Base URLs that do not serve Responses, and pairs with a model that they do not serve over it.
# Shared by the process, since a gateway is the same for all clients.
_rejected_by: set[str | tuple[str, str]] = set()
# Base URLs that have served Responses: an error there is not one of the gateway's routes.
_served_by: set[str] = set()


def forget_apis() -> None:
    """Forget which gateways serve Responses."""
    _rejected_by.clear()
    _served_by.clear()


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
        or set(request.include) - {ENCRYPTED_REASONING}
    )


RejectionScope = str | tuple[str, str]
"""What does not serve Responses: a base URL, or a base URL with one model."""


def find_rejection(request: ChatRequest, base_url: str, error: Exception) -> RejectionScope | None:
    """Return what does not serve Responses, if an error shows it.

    Args:
        request: The rejected request. It was not processed.
        base_url: Base URL of the gateway.
        error: The error of the request over Responses.

    Returns:
        None if the error has another reason, or only Responses can serve the request.
    """
    if request.api != "auto" or _needs_responses(request) or not isinstance(error, APIStatusError):
        return None
    # A request that failed with another error may have been processed.
    if isinstance(error, BadRequestError | NotFoundError) and re.search(
        _API_IS_UNSUPPORTED, error.message
    ):
        return base_url, request.model
    return base_url if base_url not in _served_by and _is_missing_route(error) else None


def _is_missing_route(error: APIStatusError) -> bool:
    """Return whether an error shows that the gateway does not serve Responses."""
    match error:
        case ModelNotFoundError():
            return False
        case RouteNotFoundError():
            return True
        case NotFoundError():
            return re.fullmatch(_PATH_IS_UNKNOWN, error.message) is not None
        case BadRequestError() if re.search(_INPUT_IS_LOST, f"{error.message} {error.body}"):
            return True
        case _:
            return error.status_code in {405, 501}


def to_chat_completions(request: ChatRequest) -> ChatRequest | None:
    """Return a request over Chat Completions, which stores nothing; None if it cannot be sent."""
    request = replace(request, api="chat_completions", store=None, include=())
    try:
        render_request(get_dialect("chat_completions"), request, stream=False)
    except UsageError:
        return None
    return request


def record_served(base_url: str, dialect: Dialect, rejected_by: RejectionScope | None) -> None:
    """Record that a response was received, over Chat Completions after a rejection.

    A rejection is recorded only then: while a gateway restarts, every path may be unknown.

    Args:
        base_url: Base URL of the gateway.
        dialect: The dialect of the request.
        rejected_by: What rejected the request over Responses; None if nothing did.
    """
    if dialect.name == "responses":
        _served_by.add(base_url)
    elif rejected_by is not None and rejected_by not in _rejected_by:
        _rejected_by.add(rejected_by)
        model = "" if rejected_by == base_url else f" with {rejected_by[1]}"
        _LOGGER.info(
            "%s does not serve Responses%s: Chat Completions is used instead.", base_url, model
        )
