"""Programs as users write them, each run in its own process, to test how a process ends.

The environment has the base URL and the token of a gateway. A program prints ``ready`` when the
test may act.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.programs import FORKS, ForkedProgram

WARNINGS = "import warnings; warnings.simplefilter('always', ResourceWarning)\n"
# What the first call of any component imports.
IMPORTS = ("httpx", "xai_lowcode.transport.async_client", "xai_lowcode.transport.sync_client")
HEAD = """
import asyncio, sys
from {module} import {component} as Component
model = Component()
"""
# What is still open when a program ends.
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
# Programs that print when a chunk was received.
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
def process(
    component: Any, program: str, gateway: Any, *, fork: bool = FORKS
) -> Iterator[subprocess.Popen[str] | ForkedProgram]:
    """Run a program with the warnings that developers see; kill it at the end.

    It may be a fork of a process that has imported the component and done nothing else.
    """
    environment = {
        **os.environ,
        "LOWCODEAPI_API_TOKEN": gateway.api_token,
        "LOWCODEAPI_BASE_URL": gateway.base_url,
    }
    module = component.__module__
    code = HEAD.format(module=module, component=component.__name__) + program
    running: subprocess.Popen[str] | ForkedProgram
    if fork:
        running = ForkedProgram(WARNINGS + code, [], env=environment, preload=(module, *IMPORTS))
    else:
        running = subprocess.Popen(
            [sys.executable, "-W", "always::ResourceWarning", "-c", code],
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
