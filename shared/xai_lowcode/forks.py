"""What must be made anew in a forked child: it has the parent's locks, but not its threads."""

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


def _renew_all() -> None:
    for thing in list(_everything):
        thing.renew()


_everything: weakref.WeakSet[Renewable] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
