"""``xai-lowcode doctor``: an examination of the gateway on one screen; ``doctor`` examines."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from xai_lowcode.cli.console import client_options, echo_err, err, out, write_json
from xai_lowcode.cli.errors import FAILED
from xai_lowcode.diagnostics import CheckResult, DiagnosticReport, report, run_diagnostics
from xai_lowcode.errors import UsageError, XAILowCodeError

_MARKS = {"ok": "ok", "failed": "FAIL", "note": "note", "untried": "-"}
_STYLES = {"ok": "green", "failed": "bold red", "note": "yellow", "untried": "dim"}
_TIMEOUT = 20.0


def doctor(
    context: typer.Context,
    *,
    spend: Annotated[
        bool, typer.Option("--spend/--no-spend", help="Pay for one short streamed answer.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Who gives that answer.")] = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for each answer.", min=0.1)
    ] = _TIMEOUT,
    report_to: Annotated[
        Path | None,
        typer.Option("--report", help="Write how the gateway behaved, without contents, as JSON."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the diagnosis as JSON.")] = False,
) -> None:
    """Tell what works with this token and this gateway; costs nothing without --spend."""
    settings = client_options(context, timeout=timeout)
    if report_to is not None and not report_to.parent.is_dir():
        raise UsageError(f"--report: there is no folder {report_to.parent}.", field="report")
    with _steps() as on_step:
        diagnosis = run_diagnostics(settings, spend=spend, model=model, on_step=on_step)
    if report_to is not None:
        _write_report(diagnosis, report_to, settings.api_token.get_secret_value())
    if as_json:
        write_json(diagnosis.as_json())
    else:
        _print(diagnosis)
    if not diagnosis.healthy:
        raise typer.Exit(FAILED)


@contextmanager
def _steps() -> Iterator[Any]:
    """Shows on a terminal what is being tried."""
    console = err()
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("Examining") as status:
        yield lambda name: status.update(f"Trying {name}")


def _write_report(diagnosis: DiagnosticReport, path: Path, token: str) -> None:
    document = json.dumps(report(diagnosis, token), indent=2)
    try:
        path.write_text(f"{document}\n", encoding="utf-8")
    except OSError as problem:
        raise XAILowCodeError(f"{path} cannot be written ({problem.strerror}).") from None
    echo_err(f"The report is in {path}; it holds no contents and no token.")


def _print(diagnosis: DiagnosticReport) -> None:
    console = out()
    if diagnosis.alive:
        console.print(_findings(diagnosis))
        console.print()
        console.print(_endpoints(diagnosis))
        console.print(_untried(diagnosis))
        console.print()
        for problem in diagnosis.problems:
            console.print(Text.assemble((f"{', '.join(problem.where)}: ", "bold"), str(problem)))
    style = "bold green" if diagnosis.healthy else "bold red"
    hint = "" if diagnosis.alive else f" {diagnosis.problems[0].hint}"
    console.print(Text.assemble((diagnosis.verdict, style), hint))


def _findings(diagnosis: DiagnosticReport) -> Table:
    table = Table.grid(padding=(0, 2))
    for finding in diagnosis.findings:
        table.add_row(_mark(finding.state), finding.name, Text(finding.text))
    installed = ", ".join(f"{name} {number}" for name, number in diagnosis.versions.items())
    table.add_row("", "versions", Text(installed))
    return table


def _endpoints(diagnosis: DiagnosticReport) -> Table | Text:
    tried = diagnosis.tried
    if {trial.state for trial in tried} == {"failed"} and len({trial.said for trial in tried}) == 1:
        return Text(f"All {len(tried)} endpoints that were tried: {tried[0].said}.")
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column("")
    table.add_column("endpoint", no_wrap=True)
    table.add_column("answer")
    table.add_column("URL form")
    table.add_column("ms", justify="right")
    for trial in tried:
        row = trial.endpoint
        address = Text(f"{row.method:<6} {row.path}")
        table.add_row(
            _mark(trial.state), address, Text(trial.said), _form(trial), _milliseconds(trial)
        )
    return table


def _untried(diagnosis: DiagnosticReport) -> Text:
    """What was left alone, in a line for each reason."""
    reasons: dict[str, list[str]] = {}
    for trial in diagnosis.trials:
        if trial.state == "untried":
            reasons.setdefault(trial.said, []).append(trial.endpoint.path)
    lines = [f"Not tried ({reason}): {', '.join(paths)}" for reason, paths in reasons.items()]
    return Text("\n".join(lines), _STYLES["untried"])


def _form(trial: CheckResult) -> str:
    forms = [attempt.form for attempt in trial.attempts if attempt.form]
    if len(set(forms)) > 1:
        return f"{forms[-1]} ({forms[0]}: {trial.attempts[0].status or 'drops'})"
    return forms[-1] if forms else ""


def _milliseconds(trial: CheckResult) -> str:
    seconds = trial.attempts[-1].seconds if trial.attempts else None
    return "" if seconds is None else f"{seconds * 1000:.0f}"


def _mark(state: str) -> Text:
    return Text(_MARKS[state], _STYLES[state])
