"""The recorded bodies of xAI's API, with their rows of the index. They are optional."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.core.wire import WIRE

APIS = {
    ("POST", "/v1/chat/completions"): ("chat_completions", "choices"),
    ("GET", "/v1/chat/deferred-completion/{request_id}"): ("chat_completions", "choices"),
    ("POST", "/v1/messages"): ("messages", "content"),
    ("POST", "/v1/responses"): ("responses", "output"),
    ("GET", "/v1/responses/{response_id}"): ("responses", "output"),
}
"""The API of an endpoint's responses, and a key that each response of this API has."""


@dataclass(frozen=True)
class Case:
    """One recorded body.

    Attributes:
        file: Its folder and name.
        content: Its bytes.
        row: Its row of the index.
    """

    file: str
    content: bytes
    row: dict[str, Any]

    def __str__(self) -> str:
        return self.file

    @property
    def folder(self) -> str:
        """The folder."""
        return self.file.partition("/")[0]

    @property
    def stream(self) -> bool:
        """Whether it is the body of a stream."""
        return bool(self.row["stream"])

    @property
    def expect(self) -> dict[str, Any]:
        """The facts that a parser must find, if the index states them."""
        return self.row.get("expect") or {}

    @property
    def json(self) -> Any:
        """The body of a plain response, parsed by the standard library."""
        return json.loads(self.content)

    @property
    def api(self) -> str:
        """The API of a chat response; empty for any other body."""
        api, key = APIS.get((self.row["method"], self.row["endpoint"]), ("", ""))
        if not api or self.folder == "errors":
            return ""
        return api if self.stream or key in self.json else ""


@cache
def cases(folder: str = "") -> tuple[Case, ...]:
    """Return the bodies of one folder, or all; none if the recorded bodies are absent."""
    if not WIRE.is_dir():
        return ()
    lines = (WIRE / "index.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["file"].startswith(folder)]
    return tuple(Case(row["file"], (WIRE / row["file"]).read_bytes(), row) for row in rows)
