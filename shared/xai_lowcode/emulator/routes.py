"""Which addresses exist: the gateway's two forms of each, and the provider's behind them."""

import posixpath
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qsl, unquote

from xai_lowcode.emulator.rooms import ROOMS, Room
from xai_lowcode.emulator.switchboard import UrlForms

PREFIX = "/xai"
PARAMETER = re.compile(r"\{(\w+)\}")
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
METHODS_ALIKE = {"HEAD": "GET"}


class UndecodableError(Exception):
    """A parameter in the path whose percent-encoding is broken."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A route that was found, with the values of its parameters."""

    room: Room
    values: dict[str, str]
    drops: bool = False

    @property
    def upstream(self) -> str:
        """The path that the provider sees: the values go in raw, whatever they hold."""
        return PARAMETER.sub(lambda found: self.values[found[1]], self.room.path)


@dataclass(frozen=True, slots=True)
class Arrived:
    """The room at which a path of the provider ends, which need not be the one that was meant."""

    room: Room
    values: dict[str, str]
    query: dict[str, str]


def matched(method: str, path: str, query: dict[str, str], forms: UrlForms) -> Matched | None:
    """Finds the gateway's route, the old form of an address before the new one."""
    plain = path.rstrip("/") or "/"
    for form in FORMS[forms]:
        for room in ROOMS:
            if room.method == METHODS_ALIKE.get(method, method):
                found = SHAPES[form](room, plain, query)
                if found is not None:
                    drops = form == "new" and forms == "old_new_drops" and bool(found)
                    return Matched(room, found, drops)
    return None


def arrived(method: str, upstream: str) -> Arrived | None:
    """Finds the room behind a path of the provider, which is normalised as any HTTP client does."""
    path, _, query = upstream.partition("?")
    plain = posixpath.normpath(path)
    for room in ROOMS:
        found = _pattern(room.path).fullmatch(plain)
        if found and room.method == METHODS_ALIKE.get(method, method):
            return Arrived(room, found.groupdict(), dict(parse_qsl(query)))
    return None


def _new_form(room: Room, path: str, query: dict[str, str]) -> dict[str, str] | None:
    del query
    found = _pattern(PREFIX + room.path, re.IGNORECASE).fullmatch(path)
    return {name: _decoded(text) for name, text in found.groupdict().items()} if found else None


def _old_form(room: Room, path: str, query: dict[str, str]) -> dict[str, str] | None:
    literal = PREFIX + room.path.replace("{", "").replace("}", "")
    if path.lower() != literal.lower():
        return None
    # A parameter that is not in the query reaches the provider as this word.
    return {name: query.get(name, "null") for name in PARAMETER.findall(room.path)}


def _pattern(path: str, flags: int = 0) -> re.Pattern[str]:
    parts = PARAMETER.split(path)
    literals = [re.escape(part) if spot % 2 == 0 else f"(?P<{part}>[^/]+)"
                for spot, part in enumerate(parts)]  # fmt: skip
    return re.compile("".join(literals), flags)


def _decoded(text: str) -> str:
    try:
        if BROKEN_PERCENT.search(text):
            raise UndecodableError(text)
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UndecodableError(text) from None


FORMS: dict[UrlForms, tuple[Literal["new", "old"], ...]] = {
    "new": ("new",),
    "old": ("old",),
    "both": ("old", "new"),
    "old_new_drops": ("old", "new"),
}
SHAPES = {"new": _new_form, "old": _old_form}
