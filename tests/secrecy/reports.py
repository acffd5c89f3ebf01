"""Programs that crash, each in its own process, and their output.

The token is in the environment or an argument. The crash report shows the variables of all frames.
"""

import signal
from pathlib import Path

from tests.programs import run_program

ROOT = Path(__file__).parents[2]

# Imported before the programs are forked.
IMPORTS = (
    *("httpcore", "rich.console", "rich.traceback"),
    *("langchain_core.tools", "llama_index.core.prompts", "llama_index.core.tools"),
    *("langchain_xai_lowcode.chat_models", "langchain_xai_lowcode.images"),
    *("llama_index_xai_lowcode.llms", "llama_index_xai_lowcode.images"),
    *("xai_lowcode.cli.main", "xai_lowcode.chat.model", "xai_lowcode.emulator"),
)
# The token is in a file: variables of the parent process, which are in the report too, have only
# its path.
START = """
import asyncio, faulthandler, os, sys, warnings
os.chdir({folder!r})
with open("token") as file:
    os.environ["LOWCODEAPI_API_TOKEN"] = file.read()
os.environ |= {environment}
sys.argv[1:] = [os.environ["LOWCODEAPI_API_TOKEN"], os.environ["LOWCODEAPI_BASE_URL"]]
faulthandler.enable()
warnings.simplefilter("ignore")
"""
# The report has each variable in full; rich would truncate them.
REPORTER = """
from pydantic import SecretStr
from rich.console import Console
from rich.traceback import Traceback

def report(kind, crash, trace):
    text = Traceback.from_exception(
        kind, crash, trace, show_locals=True, locals_max_length=None, locals_max_string=None,
        locals_hide_dunder=False, max_frames=0,
    )
    Console(file=sys.stderr, width=4000, soft_wrap=True).print(text)

sys.excepthook = report
"""
FAILING_NETWORK = """
import httpcore

def fail(*_, **__):
    raise RuntimeError("unexpected failure")

httpcore._backends.sync.SyncStream.write = fail
httpcore._backends.anyio.AnyIOStream.write = fail
"""
ABORTING_NETWORK = """
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
    raise RuntimeError("unexpected failure")
main(os.environ["LOWCODEAPI_API_TOKEN"])
"""

# By name: a program, whose arguments are the token and the base URL, and its exit code.
PROGRAMS: dict[str, tuple[str, int]] = {
    "the command line": (REPORTER + FAILING_NETWORK + COMMAND, 1),
    "the command line is aborted": (REPORTER + ABORTING_NETWORK + COMMAND, -signal.SIGABRT),
    "the demo": (REPORTER + FAILING_NETWORK + DEMO, 1),
    "the token as an argument": (REPORTER + FAILING_NETWORK + ARGUMENT, 1),
    "a leak": (REPORTER + LEAK, 1),
}


def run_crashing_program(program: str, token: str, base_url: str, folder: Path) -> tuple[str, int]:
    """Return the output of a program that crashes, and its exit code."""
    (folder / "token").write_text(token, "ascii")
    environment = {
        "LOWCODEAPI_BASE_URL": base_url,
        "PYTHONASYNCIODEBUG": "1",
        "XAI_LOWCODE_DEBUG": "1",
    }
    start = START.format(folder=str(folder), environment=environment)
    code, out, err = run_program(start + program, preload=IMPORTS, timeout=90)
    return out + err, code
