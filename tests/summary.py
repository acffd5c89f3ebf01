"""Print, after a run, what the tests of each area prove: laws, cases and seconds.

A law is a test function; its cases are the inputs that it runs with. A law is not counted if all of
its cases are skipped.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from _pytest.runner import runtestprotocol

AREAS = {
    "cassettes": "VCR cassettes of both adapters replay, and hold no token",
    "cli": "each command, its output and its exit code; the checks of the doctor",
    "conversations": "histories, stored responses and settings are equal in both adapters",
    "core": "call flow, streams, errors, retries, files and schemas of the core",
    "distribution": "wheel, source archive, imports, and the private names that are used",
    "documents": "the documents' code runs, has valid types, and its statements are true",
    "emulator": "the emulator behaves as xAI's API and the gateway are documented",
    "faults": "each fault of the network, in each method: one clear error, no leak",
    "fuzz": "generated requests, responses and streams cause only documented errors",
    "langchain": "the LangChain adapter, with LangChain's standard tests",
    "live": "the hosted gateway, if LOWCODEAPI_API_TOKEN is set",
    "llama_index": "the LlamaIndex adapter, with agents, engines and OpenAILike",
    "load": "many calls at once, in threads, coroutines and processes: none is lost",
    "notebooks": "the notebooks run from their first cell to their last",
    "proxies": "forward proxies, tunnels, NO_PROXY and certificates",
    "recorded": "recorded bodies of xAI's API are read the same in each form",
    "secrecy": "the token is in no log, error, trace, repr or crash report",
    "transport": "connections: reuse, limits, abandoned streams, forks",
}
"""What the tests of each folder prove, by the folder's name."""


@dataclass
class Area:
    """The results of one folder."""

    laws: set[tuple[str, str]] = field(default_factory=set)
    cases: int = 0
    skipped: int = 0
    seconds: float = 0.0

    def add(self, report: pytest.TestReport) -> None:
        """Count one phase of one case."""
        self.seconds += report.duration
        number = dict(report.user_properties).get("cases", 1)
        assert isinstance(number, int)
        if report.when == "call" and (not report.skipped or hasattr(report, "wasxfail")):
            names = report.nodeid.partition("[")[0].split("::")
            self.laws.add((names[0], names[-1]))
            self.cases += number
        elif report.skipped:
            self.skipped += number


class Summary:
    """Collects the reports of a run, also those of the workers of xdist."""

    def __init__(self) -> None:
        self.areas: dict[str, Area] = defaultdict(Area)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a report of a test in a folder of ``tests``."""
        path = report.nodeid.partition("::")[0].split("/")
        if len(path) > 2 and path[0] == "tests":
            self.areas[path[1]].add(report)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table, except in quiet runs."""
        if self.areas and terminalreporter.verbosity >= 0:
            terminalreporter.section("laws by area")
            terminalreporter.write_line("\n".join(table(self.areas)))


def table(areas: dict[str, Area]) -> Iterable[str]:
    """Yield a header, a line for each area, and the total."""
    total = Area()
    yield f"{'area':<14}{'laws':>6}{'cases':>8}{'skipped':>9}{'seconds':>9}  what they prove"
    for name, area in sorted(areas.items()):
        yield _line(name, area, AREAS[name])
        total.laws |= area.laws
        total.cases += area.cases
        total.skipped += area.skipped
        total.seconds += area.seconds
    yield _line("all", total, "seconds are the sum over all workers")


def _line(name: str, area: Area, meaning: str) -> str:
    counts = f"{len(area.laws):>6,}{area.cases:>8,}{area.skipped:>9,}{area.seconds:>9,.1f}"
    return f"{name:<14}{counts}  {meaning}"


class OneReport:
    """Sends one report for a test that passes, in the workers of xdist.

    xdist sends one for each of its three phases otherwise, which takes as long as a short test.
    """

    @pytest.hookimpl
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test as pytest does, and add the seconds of its phases if all passed."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for report in combined(reports):
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True


def combined(reports: list[pytest.TestReport]) -> list[pytest.TestReport]:
    """Return the report of the call with the seconds of all phases, if all of them passed."""
    if [report.when for report in reports if report.passed] != ["setup", "call", "teardown"]:
        return reports
    reports[1].duration = sum(report.duration for report in reports)
    return [reports[1]]


def pytest_configure(config: pytest.Config) -> None:
    """Register the summary, or in the workers of xdist what sends it fewer reports."""
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(OneReport(), "xai_lowcode_one_report")
    else:
        config.pluginmanager.register(Summary(), "xai_lowcode_summary")
