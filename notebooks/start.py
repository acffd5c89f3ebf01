"""Connect a notebook to the hosted gateway or to an emulator, and print which.

Models created without arguments read token and base URL from the environment.
"""

import os
from contextlib import ExitStack

from xai_lowcode.emulator import Emulator, running
from xai_lowcode.settings import BASE_URL_VARIABLE, DEFAULT_BASE_URL, TOKEN_VARIABLE

_EMULATED = """\
The responses in this notebook come from the emulator of this package, not from Grok."""
_NO_TOKEN = f"""\
No token is set; with {TOKEN_VARIABLE} in the environment they come from Grok."""
_ALWAYS_EMULATED = """\
This notebook always uses the emulator, since it injects faults."""

_open = ExitStack()
_emulators: list[Emulator] = []


def connect(*, emulator_only: bool = False) -> Emulator | None:
    """Connect to the hosted gateway if a token is set, else start an emulator.

    Args:
        emulator_only: Start the emulator even if a token is set.

    Returns:
        The emulator, or None if the hosted gateway is used.
    """
    # If the cell runs twice, the token in the environment is the emulator's.
    if not _emulators:
        if os.environ.get(TOKEN_VARIABLE) and not emulator_only:
            base_url = os.environ.get(BASE_URL_VARIABLE, DEFAULT_BASE_URL)
            print(f"The responses in this notebook come from Grok, through {base_url}.")
            return None
        emulator = _open.enter_context(running())
        os.environ[TOKEN_VARIABLE] = emulator.api_token
        os.environ[BASE_URL_VARIABLE] = emulator.base_url
        _emulators.append(emulator)
    print(_EMULATED, _ALWAYS_EMULATED if emulator_only else _NO_TOKEN, sep="\n")
    return _emulators[0]
