"""Everything in which a token, or a proxy's password, could be seen; each as a text."""

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
    """A proxy's URL with user and password in it."""
    return url.replace("://", f"://{QUOTED_CREDENTIALS}@")


def text_of(error: BaseException) -> str:
    """An exception as reporters show it, with causes and variables of frames but those of tests."""
    ours = tuple(str(path) for path in Path(__file__).parent.glob("*.py"))
    return leaks.render_exception(error, skip=(*ours, leaks.__file__))


@dataclass
class Seen:
    """What was left behind, by the place where it was seen."""

    texts: dict[str, list[str]] = field(default_factory=dict)

    def note(self, place: str, *texts: str) -> None:
        """Keeps texts."""
        self.texts.setdefault(place, []).extend(texts)

    def look(self, thing: Any) -> None:
        """Keeps how an object is printed."""
        self.note("reprs", repr(thing), str(thing), f"{thing}")

    def found(self, *secrets: str) -> list[str]:
        """The places in which one of the secrets was seen."""
        return [
            place
            for place, texts in self.texts.items()
            if any(secret in text for secret in secrets for text in texts)
        ]


@contextmanager
def watched() -> Iterator[Seen]:
    """Watches logs of all loggers at DEBUG, and the spans of httpx, LangChain and LlamaIndex."""
    seen = Seen()
    with leaks.capture_all_logs() as logs, spans.exported() as exported:
        yield seen
    seen.note("logs", logs.getvalue())
    for name, texts in exported.items():
        seen.note(name, *texts)
