"""Read a request as the gateway's server does: body parser first, then the query.

The gateway is written in JavaScript. Its error texts and its number conversion are reproduced.
"""

import json
import math
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

BODY_LIMIT = 100 * 1024 * 1024
MAX_EXACT_INTEGER = 2**53
TOO_DEEP = "Failed to parse the request body as JSON: recursion limit exceeded"
INFLATE_ANY = 47  # zlib's window bits that detect gzip or deflate


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One HTTP request with its whole body."""

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


class GatewayError(Exception):
    """An error response of the gateway before it calls the provider."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def body_error(status: int, message: str) -> GatewayError:
    """Return the error for a body that the gateway refuses before routing."""
    return GatewayError(status, {"message": message})


async def receive_request(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]]
) -> ReceivedRequest:
    """Receive a whole request over ASGI."""
    raw = bytearray()
    more_body = True
    # The rest of a body that is too large is not read.
    while more_body and len(raw) <= BODY_LIMIT:
        message = await receive()
        raw += message.get("body", b"")
        more_body = message.get("more_body", False)
    return ReceivedRequest(
        method=scope["method"],
        path=scope["raw_path"].decode("latin-1"),
        pairs=tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): text.decode("latin-1") for name, text in scope["headers"]},
        raw=bytes(raw),
    )


def decode_sent_body(request: ReceivedRequest) -> Any:
    """Decode the body as the client encoded it; None if it is not JSON."""
    try:
        return json.loads(_decompress(request))
    except (ValueError, RecursionError, GatewayError):
        return None


def parse_body(request: ReceivedRequest) -> Any:
    """Parse the body as the gateway forwards it.

    Raises:
        GatewayError: The body is too large, too deep or not valid JSON.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/x-www-form-urlencoded":
        form = _decompress(request).decode("utf-8", "replace")
        return dict(parse_qsl(form, keep_blank_values=True))
    # Without a content type, and for multipart, the gateway forwards an empty object.
    if media_type != "application/json" or not request.raw:
        return {}
    return _parse_json(_decompress(request).decode("utf-8", "replace"))


def _decompress(request: ReceivedRequest) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").lower()
    raw = request.raw
    if encoding in {"gzip", "deflate"}:
        try:
            decompressor = zlib.decompressobj(INFLATE_ANY)
            raw = decompressor.decompress(raw, BODY_LIMIT + 1)
        except zlib.error as error:
            raise body_error(400, str(error)) from None
        if not decompressor.eof and len(raw) <= BODY_LIMIT:
            raise body_error(400, "unexpected end of file")
    elif encoding != "identity":
        raise body_error(415, f'unsupported content encoding "{encoding}"')
    if len(raw) > BODY_LIMIT:
        raise body_error(413, "request entity too large")
    return raw


def _parse_json(text: str) -> Any:
    try:
        body = json.loads(
            text,
            parse_float=parse_js_number,
            parse_int=parse_js_number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise body_error(400, _v8_message(error, text)) from None
    except RecursionError:
        raise body_error(400, TOO_DEEP) from None
    # The body parser is in strict mode: objects and arrays only.
    if not isinstance(body, dict | list):
        raise body_error(400, _unexpected_token(text, len(text) - len(text.lstrip())))
    return body


def parse_js_number(digits: str) -> int | float | None:
    """Parse a number as JavaScript does: 1.0 becomes 1, and large integers are rounded.

    A number that is too large is infinite, which JavaScript writes as null.
    """
    value = float(digits)
    if math.isinf(value):
        return None
    if value.is_integer() and abs(value) < MAX_EXACT_INTEGER**2:
        return int(digits) if re.fullmatch(r"-?\d{1,15}", digits) else int(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise body_error(400, f"Unexpected token '{name[0]}', \"{name}\" is not valid JSON")


def _v8_message(error: json.JSONDecodeError, text: str) -> str:
    """Translate the message of Python's JSON parser to that of V8's."""
    if error.pos >= len(text.rstrip()) or "Unterminated" in error.msg:
        return "Unexpected end of JSON input"
    for python, javascript in V8_MESSAGES.items():
        if error.msg.startswith(python):
            return f"{javascript} at position {error.pos}"
    return _unexpected_token(text, error.pos)


def _unexpected_token(text: str, position: int) -> str:
    return f"Unexpected token '{text[position]}', \"{text[:40]}\" is not valid JSON"


V8_MESSAGES = {
    "Expecting property name": "Expected property name or '}' in JSON",
    "Expecting ',' delimiter": "Expected ',' or '}' after property value in JSON",
    "Expecting ':' delimiter": "Expected ':' after property name in JSON",
    "Extra data": "Unexpected non-whitespace character after JSON",
    "Invalid control character": "Bad control character in string literal in JSON",
    "Invalid \\escape": "Bad escaped character in JSON",
}
