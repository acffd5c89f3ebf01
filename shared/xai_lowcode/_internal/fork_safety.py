"""Make objects and imports safe for ``os.fork``.

A forked child has copies of its parent's locks, but not the threads that would release them.
"""

# Imported first, since it registers functions for forks: had a module imported it during a fork,
# only the second half of these functions would be called, which releases a lock.
import concurrent.futures.thread  # noqa: F401
import importlib
import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Resettable(Protocol):
    """An object whose state other threads of the parent may have changed."""

    def reset(self) -> None:
        """Restore the initial state."""


def reset_after_fork(resettable: Resettable) -> None:
    """Reset an object in every forked child. The object is referenced weakly."""
    _resettables.add(resettable)


def import_before_fork(*modules: str) -> None:
    """Import modules, which are otherwise imported on first use, before each fork.

    A child that is forked while another thread imports a module would wait forever for the import
    lock of that module.
    """
    _modules.update(modules)


def run_before_fork(function: Callable[[], object]) -> None:
    """Call a function that acquires a lock, such as one that builds a schema, before each fork."""
    _functions.append(function)


def _before_fork() -> None:
    for module in list(_modules):
        importlib.import_module(module)
    for function in _functions:
        function()


def _after_fork() -> None:
    for resettable in list(_resettables):
        resettable.reset()


_resettables: weakref.WeakSet[Resettable] = weakref.WeakSet()
_modules: set[str] = set()
_functions: list[Callable[[], object]] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
