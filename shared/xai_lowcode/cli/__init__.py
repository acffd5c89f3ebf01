"""The command ``xai-lowcode``.

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted. Results are written to standard
output, everything else to standard error.
"""

try:
    import rich as _rich  # noqa: F401 - imported here to name the extra if it is missing
    import typer as _typer  # noqa: F401
except ModuleNotFoundError as error:
    raise SystemExit(f"xai-lowcode needs {error.name}: pip install 'xai-lowcode[cli]'") from error

from xai_lowcode.cli.main import app, main

__all__ = ["app", "main"]
