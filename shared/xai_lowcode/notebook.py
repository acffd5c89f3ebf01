"""Connect a notebook to the hosted gateway or, without a token, to an emulator.

Models created without arguments read token and base URL from the environment.
"""

import atexit
import importlib
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from functools import cache
from getpass import GetPassWarning, getpass

import xai_lowcode.emulator
from xai_lowcode._internal.validation import TOKEN_VARIABLE
from xai_lowcode.emulator import Emulator
from xai_lowcode.settings import BASE_URL_VARIABLE, Settings

__all__ = ["connect"]

_HOSTED = "The responses in this notebook come from Grok, through {base_url}."
_EMULATED = """\
The responses in this notebook come from the emulator of this package, not from Grok."""
_NO_TOKEN = f"""\
No token is set; with {TOKEN_VARIABLE} in the environment they come from Grok."""
_EMULATOR_ONLY = """\
This notebook always uses the emulator, since it injects faults."""
# Module, class or None, and function that return a secret by its name.
_SECRETS = (
    ("google.colab.userdata", None, "get"),
    ("kaggle_secrets", "UserSecretsClient", "get_secret"),
)


def connect(*, emulator_only: bool = False) -> Emulator | None:
    """Connect to the gateway if there is a token, else start an emulator, and print which.

    The token is that of the environment variable `LOWCODEAPI_API_TOKEN`, the secret of this name
    in Google Colab or Kaggle, or what is entered at a prompt, which does not show it. If there is
    none, or nothing can be entered, the responses come from an emulator, which stops with the
    process. The variables `LOWCODEAPI_API_TOKEN` and, for the emulator, `LOWCODEAPI_BASE_URL` are
    set, so that models created without arguments connect. Call it again to enter a token later.

    Example:
        >>> from xai_lowcode import Gateway
        >>> from xai_lowcode.notebook import connect
        >>> emulator = connect(emulator_only=True)
        The responses in this notebook come from the emulator of this package, not from Grok.
        This notebook always uses the emulator, since it injects faults.
        >>> with Gateway() as gateway:
        ...     print(gateway.retrieve_model("grok-4.3").id)
        grok-4.3

    Args:
        emulator_only: Use the emulator even if there is a token; default False.

    Returns:
        The emulator, or None if the gateway is used.

    Raises:
        UsageError: The token or the base URL is invalid.
        ModuleNotFoundError: There is no token, and the extra `emulator` is not installed.
    """
    _restore_environment()
    token = None if emulator_only else next(filter(None, _find_tokens()), None)
    if token:
        base_url = Settings.create(api_token=token).base_url
        os.environ[TOKEN_VARIABLE] = token
        print(_HOSTED.format(base_url=base_url))  # noqa: T201 - the output of the cell
        return None
    emulator = _start_emulator()
    _set_environment(TOKEN_VARIABLE, emulator.api_token)
    _set_environment(BASE_URL_VARIABLE, emulator.base_url)
    reason = _EMULATOR_ONLY if emulator_only else _NO_TOKEN
    print(_EMULATED, reason, sep="\n")  # noqa: T201 - as above
    return emulator


# Variables that have the emulator's values, with these and the replaced values.
_replaced: dict[str, tuple[str, str | None]] = {}


def _set_environment(name: str, value: str) -> None:
    _replaced[name] = value, os.environ.get(name)
    os.environ[name] = value


def _restore_environment() -> None:
    """Undo `_set_environment`, except for variables that were set since."""
    for name, (value, replaced) in _replaced.items():
        if os.environ.get(name) == value:
            del os.environ[name]
            if replaced is not None:
                os.environ[name] = replaced
    _replaced.clear()


@cache
def _start_emulator() -> Emulator:
    """Start the emulator of this process."""
    stack = ExitStack()
    emulator = stack.enter_context(xai_lowcode.emulator.running())
    atexit.register(stack.close)
    return emulator


def _find_tokens() -> Iterator[str | None]:
    """Yield the token, or None, of each source, in the order in which they are tried."""
    yield os.environ.get(TOKEN_VARIABLE)
    for module, client, function in _SECRETS:
        yield _read_secret(module, client, function)
    yield _prompt()


def _read_secret(module: str, client: str | None, function: str) -> str | None:
    """Return the token from the secrets of a notebook service, or None outside of it."""
    try:
        service = importlib.import_module(module)
    except ImportError:
        return None
    try:
        source = getattr(service, client)() if client else service
        secret: str | None = getattr(source, function)(TOKEN_VARIABLE)
    except Exception:  # noqa: BLE001 - their classes, for a missing secret too, vary by version
        return None
    return secret


def _prompt() -> str | None:
    """Prompt for the token; return None where nothing can be entered without being shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", GetPassWarning)
            return getpass("LowCodeAPI token (without one, the emulator is used): ").strip()
    except (EOFError, GetPassWarning, NotImplementedError, OSError):
        return None
