"""``xai-lowcode serve``: run the emulator of the gateway on this machine."""

import os
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from xai_lowcode.cli.console import echo, echo_err, format_examples
from xai_lowcode.errors import UsageError

if TYPE_CHECKING:
    from xai_lowcode.emulator import Fault

EXAMPLES = format_examples(
    "xai-lowcode serve",
    'xai-lowcode serve --port 0 --reply "Hello."',
    "xai-lowcode serve --fault Refuse:503 --fault Drop",
)


def serve(
    *,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 selects a free one.")] = 8787,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 accepts other machines.")
    ] = "127.0.0.1",
    token: Annotated[
        str, typer.Option(help="Valid token, beginning with at_; random by default.")
    ] = "",
    reply: Annotated[
        list[str] | None,
        typer.Option(metavar="<str>", help="Text of the next chat response; repeatable."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>", help="Fault of the next request, as Refuse:429 or Drop; repeatable."
        ),
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds before every response.")] = 0.0,
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
    service = {"api_token": token, "replies": reply or (), "latency": latency}
    try:
        faults = [_parse_fault(text) for text in fault or ()]
        with running(port, host, **options, **crash, **service) as emulator:  # type: ignore[arg-type]  # checked there
            emulator.inject(*faults)
            echo(f"export LOWCODEAPI_BASE_URL={emulator.base_url}")
            echo(f"export LOWCODEAPI_API_TOKEN={emulator.api_token}")
            echo_err("The emulator is running; its responses are not Grok's. Stop it with ctrl-C.")
            threading.Event().wait()
    except ValueError as error:
        raise UsageError(f"{error}.") from None
    except (OSError, OverflowError) as error:
        number = getattr(error, "errno", None)
        reason = os.strerror(number) if number else "no such port"
        where = f"{port}" if host == "127.0.0.1" else f"{host}:{port}"
        message = f"--port: cannot listen on {where} ({reason})."
        raise UsageError(message, hint="Choose another port with --port.") from None


def _parse_fault(text: str) -> "Fault":
    """Parse the name of a fault with at most one number: `Drop`, `Refuse:429`.

    Raises:
        ValueError: There is no such fault, or it needs other arguments.
    """
    from xai_lowcode.emulator import faults  # noqa: PLC0415 - the command line starts without it

    name, _, number = text.partition(":")
    kind = getattr(faults, name, None)
    if not (isinstance(kind, type) and issubclass(kind, faults.Fault)) or kind is faults.Fault:
        raise ValueError(f"--fault: {name!r} is not a fault; see the reference of the emulator")
    try:
        values = [float(number) if "." in number else int(number)] if number else []
        return kind(*values)
    except (TypeError, ValueError):
        raise ValueError(f"--fault: {text!r} must be a name and one number if needed") from None
