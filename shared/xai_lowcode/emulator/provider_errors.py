"""Error responses of the provider, and checks of single arguments that raise them."""

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")
MAX_PROMPT_TOKENS = 100_000
PROMPT_TOO_LONG = "This model's maximum prompt length is {} but the request contains {} tokens."


class ProviderError(Exception):
    """An error response of the provider; the body is a JSON object or a string."""

    def __init__(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def coded_error(status: int, code: str, error: str) -> ProviderError:
    """Return an error with a code and a message."""
    return ProviderError(status, {"code": code, "error": error})


def bad_request(error: str) -> ProviderError:
    """Return a 400 with this text."""
    return coded_error(400, "invalid-argument", error)


def invalid_argument(problem: str) -> ProviderError:
    """Return the 400 for an argument, with the text that precedes most problems."""
    return bad_request(f"Invalid argument: {problem}")


def not_found(error: str) -> ProviderError:
    """Return the 404 for something that does not exist."""
    return coded_error(404, "not-found", error)


def require_found(value: T | None, error: str) -> T:
    """Return a value, or raise the 404 with this text if there is none."""
    if value is None:
        raise not_found(error)
    return value


def check_range(name: str, value: float, low: float, high: float, *, from_low: bool = True) -> None:
    """Check that a number is in a range; without `from_low`, the lower bound is not."""
    if not low <= value <= high or (value == low and not from_low):
        raise invalid_argument(f"{name} must be between {low} and {high}, got {value}")


def check_choice(name: str, value: str, choices: Iterable[str]) -> str:
    """Check that a string is one of several, and return it."""
    if value not in choices:
        raise invalid_argument(f"{name} is one of {', '.join(choices)}, not {value}")
    return value


def check_prompt_length(tokens: int) -> None:
    """Check the number of tokens of a prompt."""
    if tokens > MAX_PROMPT_TOKENS:
        raise bad_request(PROMPT_TOO_LONG.format(MAX_PROMPT_TOKENS, tokens))
