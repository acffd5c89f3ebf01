"""``xai-lowcode serve``: run the emulator of the gateway on this machine."""

import logging
import os
import sys
import threading
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from xai_lowcode.cli.console import echo, echo_err, format_examples
from xai_lowcode.errors import UsageError

if TYPE_CHECKING:
    from xai_lowcode.emulator import Fault

EXAMPLES = format_examples(
    "xai-lowcode serve",
    'xai-lowcode serve --port 0 --reply "Hello."',
    "xai-lowcode serve --fault Refuse:503 --fault Drop",
)


class ServeCommand(TyperCommand):
    """The command; its help lists the faults, which are imported for it only."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the faults, and then the examples."""
        with formatter.section("Faults"):
            formatter.write_text(f"{_list_faults()}; n is a number, and [] optional.")
        super().format_epilog(ctx, formatter)


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
            metavar="<str>",
            help="Fault of the next request, with its number if it has one, as Refuse:429 or Drop;"
            " repeatable. The names are below.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="Name of a further model; repeatable. Unknown names are refused, as xAI does.",
        ),
    ] = None,
    log: Annotated[
        bool,
        typer.Option(
            "--log",
            help="Log each request on standard error: method, path, model, whether it is streamed,"
            " status, and whether the client left before the end.",
        ),
    ] = False,
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
    options = {
        "api_token": token,
        "replies": reply or (),
        "models": model or (),
        "latency": latency,
        "envelope": envelope,
        "url_forms": url_forms,
        "streaming": streaming,
        "restart_seconds": restart_seconds,
        "front": front,
    }
    try:
        faults = [_parse_fault(text) for text in fault or ()]
        with running(port, host, **options) as emulator:  # type: ignore[arg-type]  # checked there
            emulator.inject(*faults)
            if log:
                _log_requests()
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


def _log_requests() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger = logging.getLogger("xai_lowcode.emulator")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def _fault_classes() -> dict[str, Any]:
    from xai_lowcode.emulator import faults  # noqa: PLC0415 - the command line starts without it

    return {
        name: kind
        for name, kind in sorted(vars(faults).items())
        if isinstance(kind, type) and issubclass(kind, faults.Fault) and kind is not faults.Fault
    }


def _takes_number(kind: Any) -> bool:
    return bool(fields(kind)) and fields(kind)[0].type in (int, float)


def _list_faults() -> str:
    """Return the faults that need at most a number: `Drop`, `Refuse:n`, `Outage[:n]`."""
    written = []
    for name, kind in _fault_classes().items():
        required = [parameter for parameter in fields(kind) if parameter.default is MISSING]
        takes_number = _takes_number(kind)
        if len(required) > takes_number:
            continue
        optional = "[:n]" if takes_number else ""
        written.append(name + (":n" if required else optional))
    return ", ".join(written)


def _parse_fault(text: str) -> "Fault":
    """Parse the name of a fault with at most one number: `Drop`, `Refuse:429`.

    Raises:
        ValueError: There is no such fault, or it needs other arguments.
    """
    name, _, number = text.partition(":")
    kind = _fault_classes().get(name)
    if kind is None:
        raise ValueError(f"--fault: {name!r} is not a fault. The faults are: {_list_faults()}")
    try:
        if number and not _takes_number(kind):
            raise TypeError  # noqa: TRY301 - as a missing number raises
        values = [float(number) if "." in number else int(number)] if number else []
        fault: Fault = kind(*values)
    except (TypeError, ValueError):
        raise ValueError(f"--fault: {text!r} must be a name and one number if needed") from None
    return fault
