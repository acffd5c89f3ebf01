"""What the gateway puts around an answer of the provider, and the errors it makes itself."""

import json
from typing import Any

from xai_lowcode.emulator.handler_types import ProviderError
from xai_lowcode.emulator.request import Arrival
from xai_lowcode.emulator.state import Envelope

PROVIDER = "xai"
REFUSED = "Error received from the xai API"
TOKEN_WANTED = "A valid API token is required to access this API."  # noqa: S105 - a sentence, no token
NOT_CONNECTED = (
    "No access token is associated with this api_token, authorize your xai with LowCodeAPI."
)
FIRST_SERVER_ERROR = 500
NOT_FOUND = {"message": "Not Found"}


def encoded(body: Any) -> bytes:
    """Writes JSON as JavaScript does: no white space, characters as they are."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; JavaScript writes it as an escape.
        return json.dumps(body, separators=(",", ":")).encode()


def provider_headers(sequence: int, **more: str) -> dict[str, str]:
    """Makes the HTTP headers with which xAI answers."""
    return {
        "content-type": "application/json",
        "x-request-id": f"00-{sequence:032x}-{sequence:016x}-01",
        "x-ratelimit-limit-requests": "480",
        "x-ratelimit-remaining-requests": str(480 - sequence % 480),
        "x-ratelimit-limit-tokens": "4000000",
        "x-ratelimit-remaining-tokens": str(4000000 - 1000 * (sequence % 480)),
        "x-zero-data-retention": "false",
        "x-data-retention": "general",
        **more,
    }


def wrapped(envelope: Envelope, body: Any, headers: dict[str, str]) -> Any:
    """Wraps a success."""
    if envelope == "bare":
        return body
    if envelope == "data":
        return {"data": body}
    own = body.get("message") if isinstance(body, dict) else None
    return {
        "message": own if isinstance(own, str) and own else "Request completed",
        "provider": PROVIDER,
        "result": body,
        "response_headers": headers,
    }


def wrapped_chunk(envelope: Envelope, chunk: Any) -> Any:
    """Wraps one chunk of a stream, which gets no word beside it."""
    return chunk if envelope == "bare" else {envelope: chunk}


def wrapped_error(envelope: Envelope, error: ProviderError, headers: dict[str, str]) -> Any:
    """Wraps an error of the provider; for an empty one the gateway puts in what it knows."""
    if envelope == "bare":
        return error.body
    body = {"headers": headers, "code": error.status} if error.body == "" else error.body
    own = body.get("message") if isinstance(body, dict) else None
    message = own if isinstance(own, str) and own else REFUSED
    return {"message": message, "provider": PROVIDER, "error": body, "headers": headers}


def gateway_error(status: int, message: str) -> Any:
    """Makes an error of the gateway about the token or the account."""
    return {"message": message, "provider": PROVIDER, "error": {"code": status}}


def network_error(message: str) -> Any:
    """Makes the error of a gateway that could not reach the provider, or lost it."""
    return {"message": message, "provider": PROVIDER, "error": {"message": message}}


def token_wanted(arrival: Arrival) -> Any:
    """Makes the 401, which repeats all headers and the query, secrets included."""
    logging = {
        "method": arrival.method,
        "status_code": 401,
        "message": TOKEN_WANTED,
        "path": arrival.path,
        "headers": arrival.headers,
        "query": dict(arrival.pairs),
    }
    error = {"code": 401, "logging": logging}
    return {"message": TOKEN_WANTED, "provider": PROVIDER, "error": error}
