"""What a script of this folder asks about what is not installed."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def missing(*modules: str) -> bool:
    """Whether none of the modules is installed."""
    return not any(map(find_spec, modules))


def told(name: str, module: str) -> str:
    """What is said when a name cannot be imported."""
    try:
        getattr(__import__(module, fromlist=[name]), name)
    except ImportError as error:
        return str(error)
    raise AssertionError(f"{module}.{name} can be imported.")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command of this environment."""
    program = Path(sys.executable).with_name("xai-lowcode")
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
