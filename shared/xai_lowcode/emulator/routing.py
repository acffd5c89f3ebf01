"""Which addresses exist: the gateway's two forms of each, and the provider's behind them."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

from xai_lowcode.emulator import routing as colons
from xai_lowcode.emulator.handlers import ROOMS, Room
from xai_lowcode.emulator.state import Emulator, UrlForms

FIRST = "/v1/files:initialize"
COMPLETE = "/v1/files/batch_upload/{batch_job_id}:complete"
ANY_VERB = re.compile(r"/v1/files(?P<initialize>[^/]+)", re.IGNORECASE)
CUT = re.compile(r"/v1/files/batch_upload/(?P<batch_job_id>[^/])(?P<complete>[^/]+)", re.IGNORECASE)
OLD_COMPLETE = re.compile(r"/v1/files/batch_upload/batch_job_id(?P<complete>[^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Taken:
    """The route that took an address, what it took for its parameters, and what it dragged in."""

    path: str
    values: dict[str, str] = field(default_factory=dict)
    stray: dict[str, str] = field(default_factory=dict)


def taken_as_verb(path: str) -> Taken | None:
    """Reads an address of files with a verb: whichever it is, the first route takes it."""
    found = ANY_VERB.fullmatch(path)
    return Taken(FIRST, stray={"initialize": unquote(found["initialize"])}) if found else None


def taken_new(path: str) -> Taken | None:
    """Reads the new form of completing a batch, and cuts the id."""
    found = CUT.fullmatch(path)
    if found is None:
        return None
    stray = {"complete": unquote(found["complete"])}
    return Taken(COMPLETE, {"batch_job_id": unquote(found["batch_job_id"])}, stray)


def taken_old(path: str, query: dict[str, str], name: str) -> Taken | None:
    """Reads the old form of completing a batch, which comes out right."""
    found = OLD_COMPLETE.fullmatch(path)
    if found is None:
        return None
    stray = {"complete": unquote(found["complete"])}
    return Taken(COMPLETE, {"batch_job_id": query.get(name, "null")}, stray)


PREFIX = "/xai"
PARAMETER = re.compile(r"\{(\w+)\}")
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
QUOTED_COLON = re.compile(r"%3a", re.IGNORECASE)
METHODS_ALIKE = {"HEAD": "GET"}
Form = Literal["new", "old"]


class UndecodableError(Exception):
    """A parameter in the path whose percent-encoding is broken."""


@dataclass(frozen=True, slots=True)
class Matched:
    """A route that was found, the values of its parameters, and what strayed into the query."""

    room: Room
    values: dict[str, str]
    drops: bool = False
    stray: dict[str, str] = field(default_factory=dict)

    @property
    def upstream(self) -> str:
        """The path that the provider sees: the values go in raw, whatever they hold."""
        return PARAMETER.sub(lambda found: self.values[found[1]], self.room.path)

    def address(self, query: Mapping[str, str]) -> str:
        """The whole address that the provider sees; what is in the path is repeated behind it."""
        pairs = {**query, **self.values, **self.stray}
        behind = "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs.items())
        return f"{self.upstream}?{behind}" if behind else self.upstream


@dataclass(frozen=True, slots=True)
class Arrived:
    """The room at which a path of the provider ends, which need not be the one that was meant."""

    room: Room
    values: dict[str, str]
    query: dict[str, str]


def matched(method: str, path: str, query: dict[str, str], desk: Emulator) -> Matched | None:
    """Finds the gateway's route, the old form of an address before the new one."""
    plain = QUOTED_COLON.sub(":", path.rstrip("/") or "/")
    for form in FORMS[desk.url_forms]:
        found = _taken_by_colon(method, plain, query, desk, form) or _matched_in(
            form, _open(method, desk), plain, query, desk
        )
        if found is not None:
            return found
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


def old_path(path: str, names: Mapping[str, str]) -> str:
    """Writes a path in the old form, where a parameter leaves its name behind."""
    return PARAMETER.sub(lambda found: names.get(found[1], found[1]), path)


def _open(method: str, desk: Emulator) -> Iterator[Room]:
    """Lists the rooms for a method that are not shut by a switch."""
    for room in ROOMS:
        alike = room.method == METHODS_ALIKE.get(method, method)
        if alike and (room.switch is None or getattr(desk, room.switch)):
            yield room


def _matched_in(
    form: Form, rooms: Iterator[Room], path: str, query: dict[str, str], desk: Emulator
) -> Matched | None:
    for room in rooms:
        found = SHAPES[form](room, path, query, desk.parameter_names)
        if found is not None:
            drops = form == "new" and desk.url_forms == "old_new_drops" and bool(found)
            return Matched(room, found, drops)
    return None


def _taken_by_colon(
    method: str, path: str, query: dict[str, str], desk: Emulator, form: Form
) -> Matched | None:
    if desk.colon_routes == "exact" or method != "POST":
        return None
    inside = path[len(PREFIX) :]
    taken = colons.taken_as_verb(inside) or (
        colons.taken_new(inside)
        if form == "new"
        else colons.taken_old(inside, query, desk.parameter_names.get(BATCH, BATCH))
    )
    if taken is None:
        return None
    room = next(room for room in ROOMS if room.path == taken.path)
    return Matched(room, taken.values, stray=taken.stray)


def _new_form(
    room: Room, path: str, _: dict[str, str], __: Mapping[str, str]
) -> dict[str, str] | None:
    found = _pattern(PREFIX + room.path, re.IGNORECASE).fullmatch(path)
    return {name: _decoded(text) for name, text in found.groupdict().items()} if found else None


def _old_form(
    room: Room, path: str, query: dict[str, str], names: Mapping[str, str]
) -> dict[str, str] | None:
    if path.lower() != (PREFIX + old_path(room.path, names)).lower():
        return None
    # A parameter that is not in the query reaches the provider as this word.
    return {name: query.get(names.get(name, name), "null") for name in PARAMETER.findall(room.path)}


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


BATCH = "batch_job_id"
FORMS: dict[UrlForms, tuple[Form, ...]] = {
    "new": ("new",),
    "old": ("old",),
    "both": ("old", "new"),
    "old_new_drops": ("old", "new"),
}
SHAPES = {"new": _new_form, "old": _old_form}
