"""``xai-lowcode serve``: run the emulator of the gateway on this machine."""

import os
import threading
from typing import Annotated

import typer

from xai_lowcode.cli.console import echo, echo_err
from xai_lowcode.errors import UsageError


def serve(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 selects a free one.")] = 8787,
    envelope: Annotated[
        str, typer.Option(help="Envelope of responses: result, data or bare.")
    ] = "result",
    url_forms: Annotated[
        str, typer.Option(help="Accepted URL formats: new, old, both, old_new_drops or both_drop.")
    ] = "new",
    streaming: Annotated[
        str, typer.Option(help="Delivery of streams: live, buffered, wrapped or string.")
    ] = "live",
    restart_seconds: Annotated[
        float, typer.Option(min=0, help="Seconds without connections after a crash.")
    ] = 0.0,
    front: Annotated[
        bool, typer.Option("--front", help="Respond with 502 while the gateway is down.")
    ] = False,
) -> None:
    """Run the emulator of the gateway on this machine until interrupted."""
    try:
        from xai_lowcode.emulator import running  # noqa: PLC0415 - needs the extra emulator
    except ModuleNotFoundError as error:
        hint = "Install it: pip install 'xai-lowcode[emulator]'"
        raise UsageError(f"The emulator needs {error.name}.", hint=hint) from None
    options = {"envelope": envelope, "url_forms": url_forms, "streaming": streaming}
    crash = {"restart_seconds": restart_seconds, "front": front}
    try:
        with running(port, **options, **crash) as emulator:  # type: ignore[arg-type]  # checked there
            echo(f"export LOWCODEAPI_BASE_URL={emulator.base_url}")
            echo(f"export LOWCODEAPI_API_TOKEN={emulator.api_token}")
            echo_err("The emulator is running; its responses are not Grok's. Stop it with ctrl-C.")
            threading.Event().wait()
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else "no such port"
        message = f"--port: cannot listen on {port} ({reason})."
        raise UsageError(message, hint="Choose another port with --port.") from None
