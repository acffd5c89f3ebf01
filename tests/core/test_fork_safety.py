"""A process can be forked at any time after the first import."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")

# Functions that are registered while others run would be called in the parent but not before.
PROGRAM = """
import os, sys
registered = []
register = os.register_at_fork
os.register_at_fork = lambda **functions: (registered.append(functions), register(**functions))
sys.unraisablehook = lambda error: (print(error), os._exit(3))
{preparation}
registered.clear()
child = os.fork()
if child == 0:
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
half = [functions for functions in registered if "after_in_parent" in functions]
print("exit code of the child:", code, "registered during the fork:", half)
"""
PREPARATIONS = (
    "import xai_lowcode",
    "from xai_lowcode import Gateway",
    "import xai_lowcode; xai_lowcode.Gateway(api_token='at_r0123456789abcdef')",
    "import xai_lowcode.transport.pool",
    "import xai_lowcode.chat.model",
    "import xai_lowcode.api.tokens",
    "import xai_lowcode.json_schema",
    "import xai_lowcode._internal.fork_safety",
    "from langchain_xai_lowcode import ChatXAILowCode",
    "from llama_index_xai_lowcode import XAILowCode",
)
FRAMEWORKS = {
    "langchain_xai_lowcode": "langchain_core",
    "llama_index_xai_lowcode": "llama_index.core",
}


@pytest.mark.parametrize("preparation", PREPARATIONS)
def test_a_fork_after_an_import(preparation: str) -> None:
    """After an import, a fork registers no function, and the child exits without an error."""
    for package, framework in FRAMEWORKS.items():
        if package in preparation:
            pytest.importorskip(framework)
    program = PROGRAM.format(preparation=preparation)
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.stdout == "exit code of the child: 0 registered during the fork: []\n", result
