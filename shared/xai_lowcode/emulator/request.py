"""Reading a request as the gateway's own server does: body parser first, then the query.

The gateway is written in JavaScript, and some of what it does to a body can be seen from outside:
the wording of its complaints, and what becomes of numbers.
"""

import json
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

BODY_LIMIT = 100 * 1024 * 1024
EXACT_INTEGERS = 2**53
INFLATE_ANY = 47  # zlib's sign for "gzip or deflate, whichever it is"


@dataclass(frozen=True, slots=True)
class Arrival:
    """One HTTP request, read to its end."""

    method: str
    path: str
    pairs: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    raw: bytes

    @property
    def tokens(self) -> list[str]:
        """Every `api_token` of the query."""
        return [text for name, text in self.pairs if name == "api_token"]

    @property
    def query(self) -> dict[str, str]:
        """The query without the token."""
        return {name: text for name, text in self.pairs if name != "api_token"}


class BodyError(Exception):
    """A body that the gateway refuses before it looks at the route."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_arrival(scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]) -> Arrival:
    """Reads the whole request."""
    raw = bytearray()
    more = True
    while more:
        message = await receive()
        raw += message.get("body", b"")
        more = message.get("more_body", False)
    return Arrival(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        pairs=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
        raw=bytes(raw),
    )


def as_sent(arrival: Arrival) -> Any:
    """Reads the body as the client meant it, for the record; None where there is none."""
    try:
        return json.loads(_inflated(arrival))
    except (ValueError, zlib.error):
        return None


def as_forwarded(arrival: Arrival) -> Any:
    """Reads the body as the gateway passes it on, or raises `BodyError`."""
    if len(arrival.raw) > BODY_LIMIT:
        raise BodyError(413, "request entity too large")
    kind = arrival.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return dict(parse_qsl(arrival.raw.decode("utf-8", "replace"), keep_blank_values=True))
    # Without a content type, and for multipart, nobody reads the body: an empty object goes on.
    if kind != "application/json" or not arrival.raw:
        return {}
    return _parsed(_inflated(arrival).decode("utf-8", "replace"))


def _inflated(arrival: Arrival) -> bytes:
    if arrival.headers.get("content-encoding", "identity") in {"gzip", "deflate"}:
        return zlib.decompress(arrival.raw, INFLATE_ANY)
    return arrival.raw


def _parsed(text: str) -> Any:
    try:
        body = json.loads(
            text, parse_float=number, parse_int=number, parse_constant=_refused_constant
        )
    except json.JSONDecodeError as problem:
        raise BodyError(400, _complaint(problem, text)) from None
    # A strict body parser takes objects and arrays only.
    if not isinstance(body, dict | list):
        raise BodyError(400, _unexpected(text, len(text) - len(text.lstrip())))
    return body


def number(digits: str) -> int | float:
    """Reads a number as JavaScript does: 1.0 is 1, and long integers are rounded."""
    value = float(digits)
    if value.is_integer() and abs(value) < EXACT_INTEGERS * EXACT_INTEGERS:
        return int(digits) if re.fullmatch(r"-?\d{1,15}", digits) else int(value)
    return value


def _refused_constant(name: str) -> NoReturn:
    raise BodyError(400, f"Unexpected token '{name[0]}', \"{name}\" is not valid JSON")


def _complaint(problem: json.JSONDecodeError, text: str) -> str:
    """Says in the words of V8 what Python said in its own."""
    if problem.pos >= len(text.rstrip()) or "Unterminated" in problem.msg:
        return "Unexpected end of JSON input"
    for python, javascript in COMPLAINTS.items():
        if problem.msg.startswith(python):
            return f"{javascript} at position {problem.pos}"
    return _unexpected(text, problem.pos)


def _unexpected(text: str, position: int) -> str:
    return f"Unexpected token '{text[position]}', \"{text[:40]}\" is not valid JSON"


COMPLAINTS = {
    "Expecting property name": "Expected property name or '}' in JSON",
    "Expecting ',' delimiter": "Expected ',' or '}' after property value in JSON",
    "Expecting ':' delimiter": "Expected ':' after property name in JSON",
    "Extra data": "Unexpected non-whitespace character after JSON",
    "Invalid control character": "Bad control character in string literal in JSON",
    "Invalid \\escape": "Bad escaped character in JSON",
}
