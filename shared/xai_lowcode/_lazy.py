"""Import the public names of a package when they are first used.

So an import of the package takes little time, and a missing extra is reported by name.
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
    """Return the functions ``__getattr__`` and ``__dir__`` of a package (PEP 562).

    Args:
        package: Name of the package: ``__name__``.
        exports: The modules of the public names.
        extra: The extra that installs ``requires``.
        requires: Name of the top-level module that the public names need.
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
