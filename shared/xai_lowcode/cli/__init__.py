"""The command ``xai-lowcode``.

Exit codes: 0 success, 1 failure, 2 usage error, 130 interrupted, 141 standard output is closed.
Results are written to standard output, everything else to standard error.
"""

import sys

from xai_lowcode._version import __version__

try:
    import rich as _rich  # noqa: F401 - imported here to name the extra if it is missing
    import typer as _typer  # noqa: F401
except ModuleNotFoundError as error:
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"xai-lowcode {__version__}\n")
        raise SystemExit(0) from None
    raise SystemExit(f"xai-lowcode needs {error.name}: pip install 'xai-lowcode[cli]'") from error
except KeyboardInterrupt:
    raise SystemExit(130) from None

try:
    from xai_lowcode.cli.main import app, main
except KeyboardInterrupt:
    raise SystemExit(130) from None

__all__ = ["app", "main"]
