"""An examination of a gateway: what works with this token and this address, at no cost.

Everything it says was seen in real exchanges: it sends calls the way applications do and watches
the wire while they are made. It knows no terminal; the command of the same name prints it.
"""

from xai_lowcode.diagnostics.checks import Attempt, CheckResult, Finding
from xai_lowcode.diagnostics.recorder import Streaming
from xai_lowcode.diagnostics.report import DiagnosticReport, Problem, report
from xai_lowcode.diagnostics.runner import run_diagnostics

__all__ = [
    "Attempt",
    "DiagnosticReport",
    "Finding",
    "Problem",
    "Streaming",
    "CheckResult",
    "run_diagnostics",
    "report",
]
