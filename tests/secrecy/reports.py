"""Programs that crash, each in a process of its own, and what is left of them on their streams.

The token is in the environment, as the package reads it, or an argument. What reports the crash
shows the variables of all frames.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# The whole of every variable; without it, rich shows the beginnings.
HEAD = """
import asyncio, os, sys
from pydantic import SecretStr
from rich.console import Console
from rich.traceback import Traceback

def report(kind, crash, trace):
    told = Traceback.from_exception(
        kind, crash, trace, show_locals=True, locals_max_length=None, locals_max_string=None,
        locals_hide_dunder=False, max_frames=0,
    )
    Console(file=sys.stderr, width=4000, soft_wrap=True).print(told)

sys.excepthook = report
"""
BREAKS = """
import httpcore

def fail(*_, **__):
    raise RuntimeError("nobody foresaw this")

httpcore._backends.sync.SyncStream.write = fail
httpcore._backends.anyio.AnyIOStream.write = fail
"""
HANGS = """
import httpcore, signal

def abort(*_, **__):
    os.kill(os.getpid(), signal.SIGABRT)

httpcore._backends.sync.SyncStream.write = abort
"""
COMMAND = """
from xai_lowcode.cli.main import app
sys.argv[1:] = ["chat", "Hi"]
app(prog_name="xai-lowcode")
"""
DEMO = f"""
import runpy
runpy.run_path({str(ROOT / "examples" / "demo.py")!r}, run_name="__main__")
"""
ARGUMENT = """
from langchain_xai_lowcode import ChatXAILowCode
chat = ChatXAILowCode(api_token=SecretStr(sys.argv[1]), base_url=sys.argv[2])
try:
    asyncio.run(chat.ainvoke("Hi"))
except RuntimeError:
    chat.invoke("Hi")
"""
LEAK = """
def main(token):
    raise RuntimeError("nobody foresaw this")
main(os.environ["LOWCODEAPI_API_TOKEN"])
"""

# A program, its arguments are the token and the address, and how its process ends.
PROGRAMS: dict[str, tuple[str, int]] = {
    "the command line": (HEAD + BREAKS + COMMAND, 1),
    "the command line is aborted": (HEAD + HANGS + COMMAND, -signal.SIGABRT),
    "the demo": (HEAD + BREAKS + DEMO, 1),
    "the token as an argument": (HEAD + BREAKS + ARGUMENT, 1),
    "a leak": (HEAD + LEAK, 1),
}


def crashed(program: str, token: str, base_url: str, folder: Path) -> tuple[str, int]:
    """What a program wrote until it crashed, and its exit code."""
    environment = {
        **os.environ,
        "LOWCODEAPI_API_TOKEN": token,
        "LOWCODEAPI_BASE_URL": base_url,
        "XAI_LOWCODE_DEBUG": "1",
        "PYTHONFAULTHANDLER": "1",
    }
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore", "-c", program, token, base_url],
        env=environment,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return done.stdout + done.stderr, done.returncode
