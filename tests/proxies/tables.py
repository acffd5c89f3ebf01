"""Cells of tables with several axes: a part of them by default, all with ``PROXIES=full``.

The part is regular: each value of an axis is combined with several values of each other axis.
"""

import os
from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest

FULL = os.environ.get("PROXIES") == "full"


def cells(*axes: Iterable[str], every: int) -> list[Any]:
    """Return the cells that are tested, as parameters of a test.

    Args:
        axes: The names of the rows, of the columns, and so on.
        every: By default, one cell of this number is tested.
    """
    return [
        pytest.param(*(name for _, name in cell), id="-".join(name for _, name in cell))
        for cell in product(*map(enumerate, axes))
        if FULL or sum(number for number, _ in cell) % every == 0
    ]


def keeps_connections(way: str, name: str) -> bool:
    """Return True if calls of an interface keep their connections.

    A stream with an injected client does not: the time to read its rest has no limit.
    """
    return "client" not in way or "stream" not in name
