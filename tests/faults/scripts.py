"""Programs as users write them, each for a process of its own: they tell how a process ends.

Each is given the address and the token of a gateway by the environment. Where it prints ``ready``,
somebody else may act.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
HEAD = """
import asyncio, sys
from tests.faults.{module} import {component} as Component
model = Component()
"""
# What is still there when a program ends.
ENDINGS = {
    "models that were used": """
asyncio.run(model.aanswer())
asyncio.run(model.aanswer())
model.answer()
""",
    "a stream that is open": """
stream = model.stream()
next(stream)
""",
    "a stream that is open in a frame": """
def main():
    for piece in model.stream():
        sys.exit(0)
main()
""",
    "an async stream that is left while its loop goes on": """
async def main():
    async for piece in model.astream():
        break
    await asyncio.sleep(0.2)
asyncio.run(main())
""",
    "an async stream that is left as the last act": """
async def main():
    async for piece in model.astream():
        break
asyncio.run(main())
""",
    "an async stream that somebody still holds": """
async def main():
    global held
    held = aiter(model.astream())
    await anext(held)
asyncio.run(main())
""",
    "a thread that still reads": """
import threading
begun = threading.Event()
def read():
    for piece in model.stream():
        begun.set()
threading.Thread(target=read, daemon=True).start()
begun.wait()
""",
}
# Nobody answers where the gateway is; the program has seen it, and goes.
READS = """
for piece in model.stream():
    print("ready", flush=True)
"""
AREADS = """
async def main():
    async for piece in model.astream():
        print("ready", flush=True)
asyncio.run(main())
"""


@contextmanager
def process(component: Any, program: str, gateway: Any) -> Iterator[subprocess.Popen[str]]:
    """Runs a program with the warnings that developers see; kills it if it is still there."""
    environment = {
        **os.environ,
        "LOWCODEAPI_API_TOKEN": gateway.api_token,
        "LOWCODEAPI_BASE_URL": gateway.base_url,
    }
    running = subprocess.Popen(
        [
            sys.executable,
            "-W",
            "always::ResourceWarning",
            "-c",
            HEAD.format(
                module=component.__module__.rpartition(".")[2], component=component.__name__
            )
            + program,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with running:
        try:
            yield running
        finally:
            running.kill()
