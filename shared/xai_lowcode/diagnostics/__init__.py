"""Diagnostics of a gateway: check which endpoints work with a token and a base URL.

``run_diagnostics`` sends the requests and returns a ``DiagnosticReport``; the command
``xai-lowcode doctor`` prints it.
"""

from xai_lowcode.diagnostics.checks import CheckResult
from xai_lowcode.diagnostics.findings import Finding
from xai_lowcode.diagnostics.report import DiagnosticReport
from xai_lowcode.diagnostics.runner import run_diagnostics

__all__ = ["CheckResult", "DiagnosticReport", "Finding", "run_diagnostics"]
