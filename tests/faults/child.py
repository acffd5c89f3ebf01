"""What a child process does; alone, so that a spawned one imports nothing else."""

import asyncio
from typing import Any


def work(model: Any, results: Any) -> None:
    """Asks twice, and tells what came."""
    results.put((model.answer(), asyncio.run(model.aanswer())))
