"""Where the token or a proxy's password could leak: logs, spans, errors and ``repr``."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.core import leaks
from tests.proxies.interfaces import QUOTED_TOKEN, TOKEN
from tests.secrecy import spans

USER = "proxy-user"
PASSWORD = "password-canary@1/2"
CREDENTIALS = f"{USER}:{PASSWORD}"
QUOTED_CREDENTIALS = f"{USER}:{quote(PASSWORD, safe='')}"
TOKENS = (TOKEN, QUOTED_TOKEN, repr(TOKEN)[1:-1])
PASSWORDS = (
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote(PASSWORD),
    base64.b64encode(CREDENTIALS.encode()).decode(),
)


def with_credentials(url: str) -> str:
    """Return a proxy's URL with user and password in it."""
    return url.replace("://", f"://{QUOTED_CREDENTIALS}@")


def render_error(error: BaseException) -> str:
    """Return an exception as error reporters render it, without the variables of test frames."""
    ours = tuple(str(path) for path in Path(__file__).parent.glob("*.py"))
    return leaks.render_exception(error, skip=(*ours, leaks.__file__))


@dataclass
class Recording:
    """Recorded strings, by the place where they were found."""

    texts: dict[str, list[str]] = field(default_factory=dict)

    def add(self, place: str, *texts: str) -> None:
        """Record strings."""
        self.texts.setdefault(place, []).extend(texts)

    def add_object(self, obj: Any) -> None:
        """Record the ``repr`` and the string of an object."""
        self.add("reprs", repr(obj), str(obj), f"{obj}")

    def places_with(self, *secrets: str) -> list[str]:
        """Return the places that have one of the secrets."""
        return [
            place
            for place, texts in self.texts.items()
            if any(secret in text for secret in secrets for text in texts)
        ]


@contextmanager
def recording() -> Iterator[Recording]:
    """Record the logs of all loggers at DEBUG, and the spans of httpx, LangChain and LlamaIndex."""
    recorded = Recording()
    with leaks.capture_all_logs() as logs, spans.exported() as exported:
        yield recorded
    recorded.add("logs", logs.getvalue())
    for name, texts in exported.items():
        recorded.add(name, *texts)
