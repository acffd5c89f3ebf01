"""Forked children: what they must make anew, and what must be imported before there are any.

A child has the parent's locks, but not its threads.
"""

import importlib
import os
import weakref
from typing import Protocol


class Renewable(Protocol):
    """Holds something that another thread of the parent may have been using."""

    def renew(self) -> None:
        """Makes it anew."""


def renew_in_child(thing: Renewable) -> None:
    """Has a thing made anew in every forked child, for as long as it lives."""
    _everything.add(thing)


def import_before_fork(*modules: str) -> None:
    """Import modules before a child is forked, which are otherwise imported on first use.

    A child that is forked while another thread imports a module would wait for ever for the lock of
    that module.
    """
    _modules.update(modules)


def _import_all() -> None:
    for module in list(_modules):
        importlib.import_module(module)


def _renew_all() -> None:
    for thing in list(_everything):
        thing.renew()


_everything: weakref.WeakSet[Renewable] = weakref.WeakSet()
_modules: set[str] = set()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_import_all, after_in_child=_renew_all)
