"""The command ``xai-lowcode``: a look at the gateway, and an emulator of it, from a terminal.

Exit codes: 0 success, 1 the call failed, 2 it could not be made as asked, 130 interrupted.
"""

import sys
from collections.abc import Callable
from typing import Annotated, Any

from xai_lowcode.errors import UsageError, XAILowCodeError

try:
    import typer
    from rich.console import Console
    from rich.table import Table
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"xai-lowcode needs {missing.name}: pip install 'xai-lowcode[cli]'"
    ) from missing

from xai_lowcode.conversation import ChatRequest, Message, TextPart
from xai_lowcode.events import TextDelta
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.operations import LIST_MODELS
from xai_lowcode.settings import Settings

app = typer.Typer(
    help="Grok through the LowCodeAPI gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console()
err = Console(stderr=True)


@app.callback()
def _root() -> None:
    """Grok through the LowCodeAPI gateway."""


@app.command()
def models() -> None:
    """List the models that the token's account can use."""
    with GatewayModel(Settings.create()).client as client:
        table = Table("model", "owner")
        for model in client.call(LIST_MODELS):
            table.add_row(model.id, model.owned_by or "")
    out.print(table)


@app.command()
def chat(
    prompt: Annotated[str, typer.Argument(help="What to ask.")],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "grok-4.7",
) -> None:
    """Ask one question and print the answer as it comes."""
    question = Message("user", (TextPart(prompt),))
    gateway = GatewayModel(Settings.create())
    for event in gateway.stream(ChatRequest(model=model, messages=(question,))):
        if isinstance(event, TextDelta):
            out.print(event.text, end="", markup=False, highlight=False, soft_wrap=True)
    out.print()


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 8787,
    envelope: Annotated[str, typer.Option(help="result, data or bare.")] = "result",
) -> None:
    """Serve the emulator of the gateway on this machine, until interrupted."""
    try:
        from xai_lowcode.emulator import running  # noqa: PLC0415 - an extra of its own
    except ModuleNotFoundError as missing:
        raise UsageError(
            f"The emulator needs {missing.name}: pip install 'xai-lowcode[emulator]'."
        ) from None
    options: dict[str, Any] = {"port": port, "envelope": envelope}
    with running(**options) as gateway:
        out.print(f"export LOWCODEAPI_BASE_URL={gateway.base_url}", highlight=False)
        out.print(f"export LOWCODEAPI_API_TOKEN={gateway.api_token}", highlight=False)
        err.print("The emulator answers until you press ctrl-C; these are not Grok's answers.")
        _wait()


def _wait() -> None:
    import threading  # noqa: PLC0415 - needed for this command alone

    threading.Event().wait()


def main(run: Callable[[], Any] = app) -> None:
    """Runs the command; errors are printed in a sentence, without a traceback."""
    try:
        run()
    except XAILowCodeError as error:
        err.print(str(error), style="red", markup=False, highlight=False)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
