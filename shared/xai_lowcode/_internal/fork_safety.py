"""Preparations for ``os.fork``: a child has copies of the parent's locks, but not its threads."""

import importlib
import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Resettable(Protocol):
    """An object whose state another thread of the parent may have locked."""

    def reset(self) -> None:
        """Reset the state in the child."""


def reset_after_fork(resettable: Resettable) -> None:
    """Reset an object in every forked child, as long as it is referenced."""
    _resettables.add(resettable)


def import_before_fork(*modules: str) -> None:
    """Import modules before a fork that are otherwise imported on first use.

    A child that is forked while another thread imports a module would block on the import lock.
    """
    _modules.update(modules)


def run_before_fork(prepare: Callable[[], object]) -> None:
    """Call a function before a fork, to do in advance what takes a lock."""
    _preparations.append(prepare)


def _before_fork() -> None:
    for module in list(_modules):
        importlib.import_module(module)
    for prepare in _preparations:
        prepare()


def _after_fork() -> None:
    for resettable in list(_resettables):
        resettable.reset()


_resettables: weakref.WeakSet[Resettable] = weakref.WeakSet()
_modules: set[str] = set()
_preparations: list[Callable[[], object]] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
