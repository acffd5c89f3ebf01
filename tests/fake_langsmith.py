"""A client of LangSmith that records what would be sent."""

from typing import Any

from langsmith._internal._serde import dumps_json


class FakeLangSmithClient:
    """Records runs as the bytes that LangSmith's client would send."""

    tracing_mode = "langsmith"

    def __init__(self) -> None:
        self.runs: list[bytes] = []

    def create_run(self, *args: Any, **run: Any) -> None:
        """Record a run."""
        self.runs.append(dumps_json([args, run]))

    update_run = create_run

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""
