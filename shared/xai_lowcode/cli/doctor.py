"""``xai-lowcode doctor``: check the gateway and print the report."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.cli.console import (
    JsonOption,
    create_console,
    echo,
    echo_err,
    format_examples,
    load_settings,
    print_rich,
    print_table,
)
from xai_lowcode.cli.errors import EXIT_FAILURE
from xai_lowcode.diagnostics import CheckResult, DiagnosticReport, run_diagnostics
from xai_lowcode.errors import UsageError, XAILowCodeError

EXAMPLES = format_examples(
    "xai-lowcode doctor", "xai-lowcode doctor --spend", "xai-lowcode doctor --report report.json"
)

_LABELS = {
    "ok": Text("ok", "green"),
    "failed": Text("FAIL", "bold red"),
    "warning": Text("warn", "yellow"),
    "unknown": Text("-", "dim"),
}

_HEADINGS = ("", "endpoint", "response", "URL format", "ms")

_Spend = Annotated[bool, typer.Option("--spend/--no-spend", help="Try what costs money too.")]
_Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help=f"Model of the texts; default: {DEFAULT_MODEL} if listed."),
]
_Timeout = Annotated[float, typer.Option(help="Seconds to wait for each response.", min=0.1)]
_Report = Annotated[Path | None, typer.Option("--report", help="Write the JSON to this file too.")]


def doctor(
    context: typer.Context,
    *,
    spend: _Spend = False,
    model: _Model = None,
    timeout: _Timeout = 20.0,
    path: _Report = None,
    as_json: JsonOption = False,
) -> None:
    """Check which endpoints work with this token and base URL. Free of charge without --spend."""
    settings = load_settings(context, timeout=timeout)
    if path is not None and not path.parent.is_dir():
        raise UsageError(f"--report: no such folder: {path.parent}.", field="report")
    with create_console(stderr=True).status("Checking the gateway") as status:
        report = run_diagnostics(settings, spend=spend, model=model, on_step=status.update)
    document = json.dumps(report.to_dict(str(settings.known_token())), indent=2)
    if path is not None:
        try:
            path.write_text(f"{document}\n", encoding="utf-8")
        except OSError as error:
            raise XAILowCodeError(f"--report: cannot write {path} ({error.strerror}).") from None
        echo_err(f"Wrote {path}. Tokens and keys are redacted.")
    if as_json:
        echo(document)
    else:
        _print_report(report)
    if not report.healthy:
        raise typer.Exit(EXIT_FAILURE)


def _print_report(report: DiagnosticReport) -> None:
    style = "bold green" if report.healthy else "bold red"
    if not report.responded:
        print_rich(Text.assemble((report.verdict, style), f" {report.problems[0].hint}"))
        return
    findings = Table.grid(padding=(0, 2))
    for finding in report.findings:
        findings.add_row(_LABELS[finding.state], finding.name, Text(finding.text))
    print_rich(findings, "")
    print_table(_HEADINGS, map(_format_row, report.results), right=_HEADINGS[-1:])
    hints = (item for item in report.findings if item.state == "warning" and item.hint)
    for problem in (*report.problems, *hints):
        end = "" if problem.text.endswith((".", "!", "?")) else "."
        text = f"{problem.text}{end} {problem.hint or ''}"
        print_rich(Text.assemble((f"\n{problem.name}: ", "bold"), text))
    print_rich(Text(f"\n{report.verdict}", style))


def _format_row(result: CheckResult) -> tuple[str | Text, ...]:
    endpoint = Text(f"{result.endpoint.method:<6} {result.endpoint.path}", no_wrap=True)
    last = result.attempts[-1] if result.attempts else None
    milliseconds = f"{last.seconds * 1000:.0f}" if last else ""
    cells = (result.summary, (last and last.url_format) or "", milliseconds)
    return _LABELS[result.state], endpoint, *cells
