"""``xai-lowcode doctor``: check the gateway and print the report."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.cli.console import JsonOption, create_console, echo, echo_err, load_settings
from xai_lowcode.cli.errors import EXIT_FAILURE
from xai_lowcode.diagnostics import CheckResult, DiagnosticReport, run_diagnostics
from xai_lowcode.errors import UsageError, XAILowCodeError

_LABELS = {
    "ok": Text("ok", "green"),
    "failed": Text("FAIL", "bold red"),
    "warning": Text("warn", "yellow"),
    "unknown": Text("-", "dim"),
}

_Spend = Annotated[bool, typer.Option("--spend/--no-spend", help="Pay for one streamed response.")]
_Model = Annotated[
    str | None, typer.Option(help=f"Model of that response; default: {DEFAULT_MODEL} if listed.")
]
_Timeout = Annotated[float, typer.Option(help="Seconds to wait for each response.", min=0.1)]
_Report = Annotated[Path | None, typer.Option("--report", help="Write the JSON to this file too.")]


def doctor(
    context: typer.Context,
    *,
    spend: _Spend = False,
    model: _Model = None,
    timeout: _Timeout = 20.0,
    report_path: _Report = None,
    as_json: JsonOption = False,
) -> None:
    """Check which endpoints work with this token and base URL. Free of charge without --spend."""
    settings = load_settings(context, timeout=timeout)
    if report_path is not None and not report_path.parent.is_dir():
        raise UsageError(f"--report: no such folder: {report_path.parent}.", field="report")
    with create_console(stderr=True).status("Checking the gateway") as status:
        report = run_diagnostics(settings, spend=spend, model=model, on_step=status.update)
    document = json.dumps(report.to_dict(settings.api_token.get_secret_value()), indent=2)
    if report_path is not None:
        try:
            report_path.write_text(f"{document}\n", encoding="utf-8")
        except OSError as error:
            message = f"--report: cannot write {report_path} ({error.strerror})."
            raise XAILowCodeError(message) from None
        echo_err(f"Wrote {report_path}. Tokens and keys are redacted.")
    if as_json:
        echo(document)
    else:
        _print_report(report)
    if not report.healthy:
        raise typer.Exit(EXIT_FAILURE)


def _print_report(report: DiagnosticReport) -> None:
    console = create_console()
    style = "bold green" if report.healthy else "bold red"
    if not report.responded:
        console.print(Text.assemble((report.verdict, style), f" {report.problems[0].hint}"))
        return
    findings = Table.grid(padding=(0, 2))
    for finding in report.findings:
        findings.add_row(_LABELS[finding.state], finding.name, Text(finding.text))
    console.print(findings, "", _endpoints_table(report.results), "", sep="\n")
    for problem in report.problems:
        text = problem.text if problem.text.endswith((".", "!", "?")) else f"{problem.text}."
        console.print(Text.assemble((f"{problem.name}: ", "bold"), f"{text} {problem.hint or ''}"))
    console.print(Text(report.verdict, style))


def _endpoints_table(results: tuple[CheckResult, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column("endpoint", no_wrap=True)
    table.add_column("response")
    table.add_column("URL format")
    table.add_column("ms", justify="right")
    for result in results:
        label = _LABELS[result.state]
        endpoint = f"{result.endpoint.method:<6} {result.endpoint.path}"
        last = result.attempts[-1] if result.attempts else None
        url_format = (last and last.url_format) or ""
        milliseconds = f"{last.seconds * 1000:.0f}" if last else ""
        table.add_row(label, Text(endpoint), result.summary, url_format, milliseconds)
    return table
