"""``xai-lowcode serve``: the emulator of the gateway, on this machine."""

import os
import threading
from typing import Annotated, Any

import typer

from xai_lowcode.cli.console import echo_err, write
from xai_lowcode.cli.errors import MISUSED
from xai_lowcode.errors import UsageError


def serve(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 8787,
    envelope: Annotated[str, typer.Option(help="result, data or bare.")] = "result",
    url_forms: Annotated[str, typer.Option(help="new, old, both or old_new_drops.")] = "new",
    streaming: Annotated[str, typer.Option(help="live, buffered, wrapped or string.")] = "live",
) -> None:
    """Serve the emulator of the gateway on this machine, until interrupted."""
    try:
        from xai_lowcode.emulator import running  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as missing:
        echo_err(
            f"The emulator needs {missing.name}: pip install 'xai-lowcode[emulator]'", style="red"
        )
        raise typer.Exit(MISUSED) from None
    options: dict[str, Any] = {
        "port": port,
        "envelope": envelope,
        "url_forms": url_forms,
        "streaming": streaming,
    }
    try:
        with running(**options) as gateway:
            write(f"export LOWCODEAPI_BASE_URL={gateway.base_url}")
            write(f"export LOWCODEAPI_API_TOKEN={gateway.api_token}")
            echo_err("The emulator answers until you press ctrl-C; these are not Grok's answers.")
            threading.Event().wait()
    except ValueError as wrong:
        raise UsageError(f"{wrong}.") from None
    except (OSError, OverflowError) as problem:
        number = getattr(problem, "errno", None)
        reason = os.strerror(number) if number else "there is no such port"
        raise UsageError(
            f"Port {port} cannot be used ({reason}).", hint="Choose another with --port."
        ) from None
