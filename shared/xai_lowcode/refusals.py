"""What each known refusal means, as tables: by its text, by its status, by xAI's code words.

A refusal that is not yet told apart is a new row here. ``classification`` reads the answers and
looks them up; the first row that fits counts.
"""

from collections.abc import Mapping
from typing import NamedTuple

from xai_lowcode.errors import (
    TOKEN_SOURCE,
    AccountNotConnectedError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContentPolicyError,
    ContextLengthError,
    CreditsExhaustedError,
    InternalServerError,
    Maker,
    ModelNotFoundError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RouteNotFoundError,
)


class Rule(NamedTuple):
    """One row: what an answer must look like, and what it then is."""

    statuses: range | frozenset[int]
    maker: Maker | None
    text: str
    error: type[APIStatusError]
    hint: str | None = None


_ANY = range(200, 600)
# An error inside a 200 is told by its text like any other refusal.
_REFUSED = frozenset({200, *range(400, 500)})

# Sources: the gateway's texts and xAI's, as transcribed or recorded; only the text tells apart what
# shares one status and code.
RULES: tuple[Rule, ...] = (
    Rule(
        _REFUSED,
        "gateway",
        r"valid api token is required",
        AuthenticationError,
        f"The gateway does not take this for a token; it should begin with at_. {TOKEN_SOURCE}",
    ),
    Rule(
        _REFUSED,
        "gateway",
        r"invalid api_token",
        AuthenticationError,
        f"The gateway does not know this token: it is mistyped or was deleted. {TOKEN_SOURCE}",
    ),
    Rule(
        _REFUSED,
        "gateway",
        r"no access token is associated",
        AccountNotConnectedError,
        "The token is good, but its account has no xAI key: connect xAI at https://lowcodeapi.com.",
    ),
    Rule(
        frozenset({404}),
        "gateway",
        r"^not found$",
        RouteNotFoundError,
        "This gateway has no such endpoint; check that base_url ends in /xai.",
    ),
    Rule(
        _REFUSED,
        None,
        r"no handler found on route",
        RouteNotFoundError,
        "xAI has no such endpoint.",
    ),
    Rule(
        _REFUSED,
        None,
        r"(incorrect|invalid) api key|api key .*(blocked|disabled)",
        AuthenticationError,
        "The token is good, but xAI refuses the key stored in its account: renew it at"
        " https://console.x.ai and connect it again at https://lowcodeapi.com"
        " (a change takes up to two minutes to be seen).",
    ),
    Rule(
        _ANY,
        None,
        r"all available credits|spending limit|any credits yet",
        CreditsExhaustedError,
        "Buy credits or raise the spending limit at https://console.x.ai.",
    ),
    Rule(
        _REFUSED,
        None,
        r"violates usage guidelines|safety_check_type",
        ContentPolicyError,
        "xAI refuses this content; sending it again will not help.",
    ),
    Rule(
        _REFUSED,
        None,
        r"model not found|the model \S+ (was deprecated|does not exist)",
        ModelNotFoundError,
        "See which models this account has with GET /v1/models.",
    ),
    Rule(
        _REFUSED,
        None,
        r"maximum prompt length|context (length|window)",
        ContextLengthError,
        "Shorten the conversation, or use a model with a larger context window.",
    ),
    Rule(
        frozenset({410}),
        None,
        r"live search is deprecated",
        BadRequestError,
        "Leave search_parameters out; xAI's server-side tools replace it.",
    ),
    Rule(frozenset({413}), None, "", BadRequestError, "The gateway takes bodies of up to 100 MB."),
)

BY_STATUS: Mapping[int, type[APIStatusError]] = {
    401: AuthenticationError,
    402: CreditsExhaustedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: InternalServerError,
    429: RateLimitError,
}

# An error inside a 200 has no status to go by, but xAI's code words (gRPC's, in two spellings), and
# those of the forms that xAI took over for messages and responses.
BY_CODE: tuple[tuple[str, type[APIStatusError]], ...] = (
    (r"context.length", ContextLengthError),
    (r"permission", PermissionDeniedError),
    (r"not.found", NotFoundError),
    (r"unauthenticated|authentication", AuthenticationError),
    (r"quota|billing", CreditsExhaustedError),
    (r"exhausted|rate.limit", RateLimitError),
    (r"invalid|too.large", BadRequestError),
)
