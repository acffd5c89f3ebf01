"""Match request paths: the gateway's routes in both URL formats, and the provider's routes."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote

from xai_lowcode.emulator.handlers import ROUTES, Route
from xai_lowcode.emulator.request import GatewayError
from xai_lowcode.emulator.state import Emulator, UrlForms

PREFIX = "/xai"
PARAMETER = re.compile(r"\{(\w+)\}")
BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
QUOTED_COLON = re.compile(r"%3a", re.IGNORECASE)
METHOD_ALIASES = {"HEAD": "GET"}
Form = Literal["new", "old"]
# The served formats in the order of precedence, and whether a URL with parameters crashes.
FORMS: dict[UrlForms, dict[Form, bool]] = {
    "new": {"new": False},
    "old": {"old": False},
    "both": {"old": False, "new": False},
    "old_new_drops": {"old": False, "new": True},
    "both_drop": {"old": True, "new": True},
}
# Paths with a colon, as a server matches them that takes the colon for a path parameter.
BATCH_ID = "batch_job_id"
UPLOAD_PATH = "/v1/files:initialize"
COMPLETE_PATH = "/v1/files/batch_upload/{batch_job_id}:complete"
FILES_VERB = re.compile(r"/v1/files(?P<verb>[^/]+)", re.IGNORECASE)
COMPLETE_NEW = re.compile(r"/v1/files/batch_upload/(?P<id>[^/])(?P<verb>[^/]+)", re.IGNORECASE)
COMPLETE_OLD = re.compile(r"/v1/files/batch_upload/batch_job_id(?P<verb>[^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """A matched route, its parameters, and what else the gateway adds to the query."""

    route: Route
    values: dict[str, str]
    crashes_gateway: bool = False
    extra_query: dict[str, str] = field(default_factory=dict)

    @property
    def upstream(self) -> str:
        """The path of the provider; the gateway inserts the parameters without quoting them."""
        return PARAMETER.sub(lambda match: self.values[match[1]], self.route.path)

    def upstream_url(self, query: Mapping[str, str]) -> str:
        """Return the URL of the provider; the gateway repeats path parameters in the query."""
        pairs = {**query, **self.values, **self.extra_query}
        encoded = "&".join(f"{name}={quote(text, safe='')}" for name, text in pairs.items())
        return f"{self.upstream}?{encoded}" if encoded else self.upstream


@dataclass(frozen=True, slots=True)
class UpstreamMatch:
    """The provider's route of a path, which can differ from the route of the gateway."""

    route: Route
    values: dict[str, str]
    query: dict[str, str]


def match_route(
    method: str, path: str, query: dict[str, str], emulator: Emulator
) -> RouteMatch | None:
    """Match a path of the gateway; the old format takes precedence over the new one."""
    path = QUOTED_COLON.sub(":", path.rstrip("/") or "/")
    for form in FORMS[emulator.url_forms]:
        match = _match_colon_route(method, path, query, emulator, form)
        if match is None:
            match = _match_form(form, method, path, query, emulator)
        if match is not None:
            return match
    return None


def match_upstream(method: str, upstream: str) -> UpstreamMatch | None:
    """Match a path of the provider, normalized as HTTP clients do."""
    path, _, query = upstream.partition("?")
    path = posixpath.normpath(path)
    for route in ROUTES:
        match = _path_pattern(route.path).fullmatch(path)
        if match and route.method == METHOD_ALIASES.get(method, method):
            return UpstreamMatch(route, match.groupdict(), dict(parse_qsl(query)))
    return None


def old_path(path: str, names: Mapping[str, str]) -> str:
    """Convert a path to the old format, which has names in place of the parameters."""
    return PARAMETER.sub(lambda match: names.get(match[1], match[1]), path)


def enabled_routes(emulator: Emulator) -> Iterator[Route]:
    """Iterate over the routes that no option disables."""
    return (route for route in ROUTES if route.option is None or getattr(emulator, route.option))


def _match_form(
    form: Form, method: str, path: str, query: dict[str, str], emulator: Emulator
) -> RouteMatch | None:
    for route in enabled_routes(emulator):
        if route.method != METHOD_ALIASES.get(method, method):
            continue
        values = (
            _match_new(route, path)
            if form == "new"
            else _match_old(route, path, query, emulator.parameter_names)
        )
        if values is not None:
            return RouteMatch(route, values, bool(values) and FORMS[emulator.url_forms][form])
    return None


def _match_new(route: Route, path: str) -> dict[str, str] | None:
    match = _path_pattern(PREFIX + route.path, re.IGNORECASE).fullmatch(path)
    return {name: _decode(text) for name, text in match.groupdict().items()} if match else None


def _match_old(
    route: Route, path: str, query: dict[str, str], names: Mapping[str, str]
) -> dict[str, str] | None:
    if path.lower() != (PREFIX + old_path(route.path, names)).lower():
        return None
    # The gateway sends `null` for a parameter that is missing in the query.
    return {
        name: query.get(names.get(name, name), "null") for name in PARAMETER.findall(route.path)
    }


def _match_colon_route(
    method: str, path: str, query: dict[str, str], emulator: Emulator, form: Form
) -> RouteMatch | None:
    if emulator.colon_routes == "exact" or method != "POST":
        return None
    path = path[len(PREFIX) :]
    if match := FILES_VERB.fullmatch(path):
        extra_query = {"initialize": unquote(match["verb"])}
        return RouteMatch(_route_of(UPLOAD_PATH), {}, extra_query=extra_query)
    if form == "new" and (match := COMPLETE_NEW.fullmatch(path)):
        batch_id = unquote(match["id"])
    elif form == "old" and (match := COMPLETE_OLD.fullmatch(path)):
        batch_id = query.get(emulator.parameter_names.get(BATCH_ID, BATCH_ID), "null")
    else:
        return None
    extra_query = {"complete": unquote(match["verb"])}
    return RouteMatch(_route_of(COMPLETE_PATH), {BATCH_ID: batch_id}, extra_query=extra_query)


def _route_of(path: str) -> Route:
    return next(route for route in ROUTES if route.path == path)


def _path_pattern(path: str, flags: int = 0) -> re.Pattern[str]:
    parts = PARAMETER.split(path)
    patterns = [re.escape(part) if index % 2 == 0 else f"(?P<{part}>[^/]+)"
                for index, part in enumerate(parts)]  # fmt: skip
    return re.compile("".join(patterns), flags)


def _decode(text: str) -> str:
    try:
        if not BROKEN_PERCENT.search(text):
            return unquote(text, errors="strict")
    except UnicodeDecodeError:
        pass
    raise GatewayError(400, {"message": f"Failed to decode param '{text}'"})
