"""Deferred exports: a package's public names, each imported when it is first asked for.

All three packages export through here, so that importing one costs nothing until used and a
missing extra is reported in one sentence wherever it is noticed.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_exports(
    package: str,
    exports: Mapping[str, str],
    *,
    extra: str | None = None,
    requires: str | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Makes the module functions ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: Name of the package, as in ``__name__``.
        exports: Public name to the module that defines it.
        extra: The extra of this distribution that brings ``requires``.
        requires: Top-level module that must be importable for the names to work.
    """

    def module_getattr(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            value = getattr(import_module(exports[name]), name)
        except ModuleNotFoundError as missing:
            if requires is None or (missing.name or "").partition(".")[0] != requires:
                raise
            raise ImportError(
                f"{package}.{name} needs {requires}, which is not installed:"
                f" pip install 'xai-lowcode[{extra}]'"
            ) from missing
        vars(import_module(package))[name] = value
        return value

    return module_getattr, lambda: sorted(exports)
