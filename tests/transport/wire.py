"""Bytes of responses, each an echo of its request, and their framing."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tests.transport.raw_server import Request

Framing = Literal["length", "chunked"]
ECHO = "echo "
DONE = b"data: [DONE]\n\n"
JSON = "application/json; charset=utf-8"
EVENTS = "text/event-stream; charset=utf-8"

_IMAGE = "https://images.invalid/"
_COMMON_FIELDS = {"id": "c1", "created": 1, "model": "grok-4"}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def dump(document: Any) -> bytes:
    """Return a document as JSON."""
    return json.dumps(document, separators=(",", ":")).encode()


def chat(text: str) -> bytes:
    """Return the body of a chat completion."""
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    completion = {
        **_COMMON_FIELDS,
        "object": "chat.completion",
        "choices": [choice],
        "usage": _USAGE,
    }
    return dump({"data": completion})


def chunk(delta: dict[str, Any], **fields: Any) -> bytes:
    """Return a chunk of a streamed chat completion, as a server-sent event."""
    choice = {"index": 0, "delta": delta, **fields}
    document = {**_COMMON_FIELDS, "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + dump(document) + b"\n\n"


def chunks(texts: Iterable[str]) -> list[bytes]:
    """Return a stream of text chunks, one event each, with its end-of-stream marker."""
    deltas = [chunk({"role": "assistant", "content": text}) for text in texts]
    return [*deltas, chunk({}, finish_reason="stop"), DONE]


def image(prompt: str) -> bytes:
    """Return the body of an image generation whose URL has the prompt."""
    return dump({"data": {"data": [{"url": f"{_IMAGE}{prompt}.png"}]}})


def prompt_of_image(url: str) -> str:
    """Return the prompt in the URL of an image."""
    return url.removeprefix(_IMAGE).removesuffix(".png")


def gateway_model(name: str) -> bytes:
    """Return the body of a model resource, or of a list with one."""
    model = {"id": name, "object": "model", "created": 1, "owned_by": "xai"}
    return dump({"object": "list", "data": [model]} if name == "models" else model)


def echo(request: "Request") -> tuple[str, list[bytes]]:
    """Return the correct response of a request: its content type, and its body in parts."""
    if request.method == "GET":
        return JSON, [gateway_model(request.prompt)]
    if request.is_image:
        return JSON, [image(request.prompt)]
    if request.is_stream:
        return EVENTS, chunks([ECHO, request.prompt[:2], request.prompt[2:]])
    return JSON, [chat(ECHO + request.prompt)]


def head(*lines: str, status: str = "200 OK") -> bytes:
    """Return the head of a response."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def chunked(parts: Sequence[bytes], *, end: bool = True) -> bytes:
    """Return a body in chunked transfer coding, one chunk for each part."""
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return encoded + b"0\r\n\r\n" if end else encoded


def message(
    *parts: bytes,
    status: str = "200 OK",
    content_type: str = JSON,
    framing: Framing = "length",
    declared: int | None = None,
    lines: Sequence[str] = (),
) -> bytes:
    """Return a whole response.

    Args:
        parts: The body, in parts; each is a chunk if the framing is chunked.
        status: Status code and reason.
        content_type: Content type.
        framing: How the end of the body is marked.
        declared: The Content-Length, if it is not that of the body.
        lines: Further header lines.
    """
    body = b"".join(parts)
    if framing == "chunked":
        framing_line, body = "Transfer-Encoding: chunked", chunked(parts)
    else:
        framing_line = f"Content-Length: {len(body) if declared is None else declared}"
    return head(f"Content-Type: {content_type}", framing_line, *lines, status=status) + body


def echo_message(request: "Request", **options: Any) -> bytes:
    """Return the whole correct response of a request."""
    content_type, parts = echo(request)
    return message(*parts, content_type=content_type, **options)
