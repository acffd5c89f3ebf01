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
PREAMBLE = """
import asyncio, sys
from {module} import {component} as Component
model = Component()
"""
# What is still open when a program ends.
ENDINGS = {
    "used models": """
asyncio.run(model.aanswer())
asyncio.run(model.aanswer())
model.answer()
""",
    "an open stream": """
stream = model.stream()
next(stream)
""",
    "an open stream in a frame": """
def main():
    for chunk in model.stream():
        sys.exit(0)
main()
""",
    "an async stream abandoned while its loop runs": """
async def main():
    async for chunk in model.astream():
        break
    await asyncio.sleep(0.2)
asyncio.run(main())
""",
    "an async stream abandoned at the end of its loop": """
async def main():
    async for chunk in model.astream():
        break
asyncio.run(main())
""",
    "an async stream with a reference": """
async def main():
    global stream
    stream = aiter(model.astream())
    await anext(stream)
asyncio.run(main())
""",
    "a thread that reads a stream": """
import threading
received = threading.Event()
def read():
    for chunk in model.stream():
        received.set()
threading.Thread(target=read, daemon=True).start()
received.wait()
""",
}
# Programs that print when a chunk was received.
READS = """
for chunk in model.stream():
    print("ready", flush=True)
"""
AREADS = """
async def main():
    async for chunk in model.astream():
        print("ready", flush=True)
asyncio.run(main())
"""
# A program that calls a model of another process, sync and async.
UNPICKLES = """
import pickle
unpickled = pickle.loads({pickled!r})
print((unpickled.answer(), asyncio.run(unpickled.aanswer())))
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
    code = PREAMBLE.format(module=module, component=component.__name__) + program
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
