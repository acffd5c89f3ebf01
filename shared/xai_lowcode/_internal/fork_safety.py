"""Forked children: what they must make anew, and what must be imported before there are any.

A child has the parent's locks, but not its threads.
"""

import importlib
import os
import weakref
from collections.abc import Callable
from typing import Protocol


class Resettable(Protocol):
    """Holds something that another thread of the parent may have been using."""

    def reset(self) -> None:
        """Makes it anew."""


def reset_after_fork(thing: Resettable) -> None:
    """Has a thing made anew in every forked child, for as long as it lives."""
    _everything.add(thing)


def import_before_fork(*modules: str) -> None:
    """Import modules before a child is forked, which are otherwise imported on first use.

    A child that is forked while another thread imports a module would wait for ever for the lock of
    that module.
    """
    _modules.update(modules)


def run_before_fork(prepare: Callable[[], object]) -> None:
    """Have something done before a child is forked that takes a lock, such as building a schema."""
    _preparations.append(prepare)


def _before_fork() -> None:
    for module in list(_modules):
        importlib.import_module(module)
    for prepare in _preparations:
        prepare()


def _after_fork() -> None:
    for thing in list(_everything):
        thing.reset()


_everything: weakref.WeakSet[Resettable] = weakref.WeakSet()
_modules: set[str] = set()
_preparations: list[Callable[[], object]] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
