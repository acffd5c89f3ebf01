"""The function of a child process, in a module of its own: a spawned one imports nothing else."""

import asyncio
from typing import Any


def work(model: Any, results: Any) -> None:
    """Send a sync and an async request, and put both results in the queue."""
    results.put((model.answer(), asyncio.run(model.aanswer())))
