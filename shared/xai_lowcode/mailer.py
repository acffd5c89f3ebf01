"""Calls as httpx requests, with the token where no print shows it.

It goes into the request target only (httpx's documented extension of that name), never into a URL
object, so that no log, exception, span or cassette that prints URLs can show it.
"""

from typing import Any
from urllib.parse import quote

import httpx

from xai_lowcode._version import __version__
from xai_lowcode.settings import Settings
from xai_lowcode.steps import Send


class Target(bytes):
    """A request target that holds the token: bytes to the wire, blanked in every print."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<target with token>"

    __str__ = __repr__


_HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"xai-lowcode/{__version__}",
}
# Compression would hold back the pieces of a live stream.
_STREAM_HEADERS = {**_HEADERS, "Accept": "text/event-stream", "Accept-Encoding": "identity"}
_PLAIN, _STREAM = httpx.Headers(_HEADERS), httpx.Headers(_STREAM_HEADERS)

_MOST_PLACES = 64


class Mailer:
    """Makes requests out of calls.

    Args:
        settings: Token, address and timeouts.
    """

    def __init__(self, settings: Settings) -> None:
        self._urls = {
            "gateway": httpx.URL(settings.base_url),
            "backend": httpx.URL(settings.backend),
        }
        self._token = quote(settings.api_token.get_secret_value(), safe="")
        self._timeout = settings.httpx_timeout
        self._known: dict[tuple[str, str], tuple[httpx.URL, bytes]] = {}

    def request(self, client: Any, step: Send, probe: Any) -> Any:
        """Builds the request, and puts the token into its target.

        A client that was given adds headers of its own.
        """
        call = step.call
        url, target = self._place(call.operation.host, step.path)
        return client.build_request(
            call.operation.method,
            url,
            content=call.body,
            headers=_STREAM if call.stream else _PLAIN,
            timeout=self._timeout if step.within is None else self._capped(step.within),
            extensions={"target": target, "trace": probe, "within": step.within},
        )

    def _capped(self, within: float) -> httpx.Timeout:
        phases = {
            phase: within if seconds is None else min(seconds, within)
            for phase, seconds in self._timeout.as_dict().items()
        }
        return httpx.Timeout(**phases)

    def _place(self, host: str, path: str) -> tuple[httpx.URL, bytes]:
        place = self._known.get((host, path))
        if place is None:
            place = self._made_place(host, path)
            # Paths with ids are many and are not asked for twice.
            if len(self._known) < _MOST_PLACES:
                self._known[host, path] = place
        return place

    def _made_place(self, host: str, path: str) -> tuple[httpx.URL, bytes]:
        base = self._urls[host]
        whole = base.raw_path.rstrip(b"/").decode("ascii") + path
        url = base.copy_with(raw_path=whole.encode("ascii"))
        if host != "gateway":
            return url, whole.encode("ascii")
        sign = "&" if "?" in whole else "?"
        return url, Target(f"{whole}{sign}api_token={self._token}", "ascii")
