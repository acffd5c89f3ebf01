"""What the gateway makes of an answer that is not JSON: text survives, bytes do not.

It reads every body as UTF-8, takes for JSON whatever parses as JSON, and hands the result to a
function that sends objects as objects, texts as texts, and numbers as status codes.
"""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from xai_lowcode.emulator import wrapping
from xai_lowcode.emulator.answers import Blob
from xai_lowcode.emulator.arrival import number
from xai_lowcode.emulator.mishaps import Raw

IN_ENVELOPE = re.compile(r"^(text|application)/(json|xml)(;.+)?$")
STATUSES = range(100, 1000)


@dataclass(frozen=True, slots=True)
class Enveloped:
    """It is wrapped like any other JSON."""

    body: Any


class Never:
    """The gateway swallows its own failure and does not answer."""


class Dies:
    """The gateway's process ends."""


def intact(blob: Blob) -> Raw | Never:
    """Passes an answer on as it is."""
    if blob.content_type is None:
        return Never()
    return Raw(blob.status, {"content-type": blob.content_type}, blob.content)


def as_gateway(blob: Blob) -> Raw | Enveloped | Never | Dies:
    """Passes an answer on as the published gateway does."""
    value = _parsed(blob.content.decode("utf-8", "replace"))
    if blob.content_type is None:
        return Never()
    if IN_ENVELOPE.fullmatch(blob.content_type):
        return Never() if value is None else Enveloped(value)
    kind = {"content-type": f"{blob.content_type}; charset=utf-8"}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _as_status(int(value), kind)
    if value is None:
        return Raw(blob.status, kind)
    body = value.encode() if isinstance(value, str) else wrapping.encoded(value)
    return Raw(blob.status, kind, body)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_float=number, parse_int=number)
    except ValueError:
        return text


def _as_status(code: int, kind: dict[str, str]) -> Raw | Dies:
    if code not in STATUSES:
        return Dies()
    known = code in set(HTTPStatus)
    return Raw(code, kind, (HTTPStatus(code).phrase if known else str(code)).encode())
