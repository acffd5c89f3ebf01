"""Helpers for the scripts of this folder."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path


def missing(*modules: str) -> bool:
    """Return whether none of the modules is installed."""
    return not any(map(find_spec, modules))


def import_error(name: str, module: str) -> str:
    """Return the message of the error that the import of a name raises."""
    try:
        getattr(__import__(module, fromlist=[name]), name)
    except ImportError as error:
        return str(error)
    raise AssertionError(f"{module}.{name} can be imported")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the ``xai-lowcode`` command of this environment."""
    program = Path(sys.executable).with_name("xai-lowcode")
    return subprocess.run([program, *arguments], check=False, capture_output=True, text=True)
