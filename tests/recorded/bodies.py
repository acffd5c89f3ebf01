"""The recorded bodies that lie beside the repository, and what each of them is."""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.core.wire import WIRE

FORMS = {
    ("POST", "/v1/chat/completions"): ("chat_completions", "choices"),
    ("GET", "/v1/chat/deferred-completion/{request_id}"): ("chat_completions", "choices"),
    ("POST", "/v1/messages"): ("messages", "content"),
    ("POST", "/v1/responses"): ("responses", "output"),
    ("GET", "/v1/responses/{response_id}"): ("responses", "output"),
}
"""The API of an endpoint's answers, and the member that an answer of this form has."""


@dataclass(frozen=True)
class Case:
    """One recorded body.

    Attributes:
        file: Its folder and name.
        content: Its bytes.
        row: Its line of the index.
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
        """What a reader must find, where the index says."""
        return self.row.get("expect") or {}

    @property
    def json(self) -> Any:
        """The body of a plain answer, read by the standard library."""
        return json.loads(self.content)

    @property
    def form(self) -> str:
        """The API of a chat's answer; empty for any other body."""
        form, member = FORMS.get((self.row["method"], self.row["endpoint"]), ("", ""))
        if not form or self.folder == "errors":
            return ""
        return form if self.stream or member in self.json else ""


@cache
def cases(folder: str = "") -> tuple[Case, ...]:
    """The bodies of one folder, or all; none where they are absent."""
    if not WIRE.is_dir():
        return ()
    lines = (WIRE / "index.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["file"].startswith(folder)]
    return tuple(Case(row["file"], (WIRE / row["file"]).read_bytes(), row) for row in rows)
