"""The command ``xai-lowcode``: Grok and its gateway from a terminal.

Exit codes: 0 success, 1 something failed, 2 it could not be done as asked, 130 interrupted.
Results go to standard output, everything else to standard error.
"""

try:
    import rich as _rich  # noqa: F401 - looked for here, so that its absence is told in a sentence
    import typer as _typer  # noqa: F401
except ModuleNotFoundError as missing:
    raise SystemExit(
        f"xai-lowcode needs {missing.name}: pip install 'xai-lowcode[cli]'"
    ) from missing

from xai_lowcode.cli.main import app, main

__all__ = ["app", "main"]
