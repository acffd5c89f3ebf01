"""The gateway's envelope around provider responses, and the gateway's own errors."""

from typing import Any

from xai_lowcode.emulator.provider_errors import ProviderError
from xai_lowcode.emulator.request import ReceivedRequest
from xai_lowcode.emulator.state import Envelope

PROVIDER = "xai"
PROVIDER_ERROR = "Error received from the xai API"
TOKEN_REQUIRED = "A valid API token is required to access this API."  # noqa: S105 - a sentence, no token
NOT_CONNECTED = (
    "No access token is associated with this api_token, authorize your xai with LowCodeAPI."
)
FIRST_SERVER_ERROR = 500
NOT_FOUND = {"message": "Not Found"}


def provider_headers(sequence: int, **extra: str) -> dict[str, str]:
    """Return the HTTP headers of a response from xAI."""
    return {
        "content-type": "application/json",
        "x-request-id": f"00-{sequence:032x}-{sequence:016x}-01",
        "x-ratelimit-limit-requests": "480",
        "x-ratelimit-remaining-requests": str(480 - sequence % 480),
        "x-ratelimit-limit-tokens": "4000000",
        "x-ratelimit-remaining-tokens": str(4000000 - 1000 * (sequence % 480)),
        "x-zero-data-retention": "false",
        "x-data-retention": "general",
        **extra,
    }


def wrap_success(envelope: Envelope, body: Any, headers: dict[str, str]) -> Any:
    """Wrap the body of a success."""
    if envelope == "bare":
        return body
    if envelope == "data":
        return {"data": body}
    return {
        "message": _message_of(body) or "Request completed",
        "provider": PROVIDER,
        "result": body,
        "response_headers": headers,
    }


def wrap_chunk(envelope: Envelope, chunk: Any) -> Any:
    """Wrap one chunk of a stream."""
    return chunk if envelope == "bare" else {envelope: chunk}


def wrap_error(envelope: Envelope, error: ProviderError, headers: dict[str, str]) -> Any:
    """Wrap an error of the provider; the gateway replaces an empty body."""
    if envelope == "bare":
        return error.body
    body = {"headers": headers, "code": error.status} if error.body == "" else error.body
    message = _message_of(body) or PROVIDER_ERROR
    return {"message": message, "provider": PROVIDER, "error": body, "headers": headers}


def _message_of(body: Any) -> str | None:
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else None


def gateway_error(status: int, message: str) -> Any:
    """Return the gateway's error about the token or the account."""
    return {"message": message, "provider": PROVIDER, "error": {"code": status}}


def network_error(message: str) -> Any:
    """Return the error of a gateway that lost the connection to the provider."""
    return {"message": message, "provider": PROVIDER, "error": {"message": message}}


def missing_token_error(request: ReceivedRequest) -> Any:
    """Return the 401, which repeats the headers and the query, including secrets."""
    logging = {
        "method": request.method,
        "status_code": 401,
        "message": TOKEN_REQUIRED,
        "path": request.path,
        "headers": request.headers,
        "query": dict(request.pairs),
    }
    error = {"code": 401, "logging": logging}
    return {"message": TOKEN_REQUIRED, "provider": PROVIDER, "error": error}
