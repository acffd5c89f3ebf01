"""What every notebook begins with: a connection, and a word about who answers.

Models that are made without arguments find token and address in the environment.
"""

import os
from contextlib import ExitStack

from xai_lowcode.emulator import Emulator, running
from xai_lowcode.settings import BASE_URL_VARIABLE, DEFAULT_BASE_URL, TOKEN_VARIABLE

_EMULATED = """\
The answers in this notebook come from the emulator that ships with this package, not from Grok."""
_NO_TOKEN = f"""\
No token is set; with {TOKEN_VARIABLE} in the environment they come from Grok."""
_ON_PURPOSE = """\
A token would not change that: what goes wrong here goes wrong on request."""

_open = ExitStack()
_emulators: list[Emulator] = []


def connect(*, emulator_only: bool = False) -> Emulator | None:
    """Connects to the hosted gateway if there is a token, else to an emulator that is started.

    Args:
        emulator_only: Start the emulator even if there is a token.

    Returns:
        The emulator, if it is the one who answers.
    """
    # A cell may be run twice; the token that is then found is the emulator's.
    if not _emulators:
        if os.environ.get(TOKEN_VARIABLE) and not emulator_only:
            address = os.environ.get(BASE_URL_VARIABLE, DEFAULT_BASE_URL)
            print(f"The answers in this notebook come from Grok, through {address}.")
            return None
        emulator = _open.enter_context(running())
        os.environ[TOKEN_VARIABLE] = emulator.api_token
        os.environ[BASE_URL_VARIABLE] = emulator.base_url
        _emulators.append(emulator)
    print(_EMULATED, _ON_PURPOSE if emulator_only else _NO_TOKEN, sep="\n")
    return _emulators[0]
