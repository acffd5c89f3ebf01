"""The limits that a JSON schema sets to numbers and texts, and values of the usual formats."""

import math
import re

from xai_lowcode.emulator import clues
from xai_lowcode.emulator.answers import Json

FORMATS: dict[str, tuple[re.Pattern[str] | None, str]] = {
    "date": (clues.DAY, "2026-01-31"),
    "date-time": (clues.STAMP, "2026-01-31T12:00:00Z"),
    "time": (None, "12:00:00Z"),
    "duration": (None, "PT1H"),
    "email": (clues.MAIL, "someone@example.com"),
    "uri": (clues.ADDRESS, "https://example.com/"),
    "url": (clues.ADDRESS, "https://example.com/"),
    "uuid": (None, "123e4567-e89b-42d3-a456-426614174000"),
    "ipv4": (None, "192.0.2.1"),
    "ipv6": (None, "2001:db8::1"),
    "hostname": (None, "example.com"),
}


def bounds(schema: Json, step: float) -> tuple[float, float]:
    """Finds the lowest and highest number allowed; beside an exclusive bound, one step inside."""
    nudge = step or 1e-3
    low = max(
        _bound(schema, "minimum", -math.inf), _bound(schema, "exclusiveMinimum", -math.inf) + nudge
    )
    high = min(
        _bound(schema, "maximum", math.inf), _bound(schema, "exclusiveMaximum", math.inf) - nudge
    )
    if step and low > -math.inf:
        low = math.ceil(low / step) * step
    return low, high


def _bound(schema: Json, key: str, otherwise: float) -> float:
    value = schema.get(key)
    # In old schemas an exclusive bound is a boolean beside the plain one.
    return otherwise if value is None or isinstance(value, bool) else float(value)


def examples(schema: Json) -> list[str]:
    """Lists the texts that a schema itself offers."""
    known = [*(schema.get("examples") or []), schema.get("default")]
    return [text for text in known if isinstance(text, str)]


def sized(text: str, schema: Json) -> str:
    """Cuts a text, or fills it up, to the length that is asked for."""
    text = text[: schema.get("maxLength", len(text))]
    missing = (schema.get("minLength") or 0) - len(text)
    return text + "." * missing if missing > 0 else text
