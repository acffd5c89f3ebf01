"""Cells of tables with several axes: a share of them by default, all with ``PROXIES=full``.

The share is regular: every value of an axis meets several values of each other axis.
"""

import os
from collections.abc import Iterable
from itertools import product
from typing import Any

import pytest

FULL = os.environ.get("PROXIES") == "full"


def cells(*axes: Iterable[str], every: int) -> list[Any]:
    """The cells that are tested, as parameters of a test.

    Args:
        axes: The names of the rows, of the columns, and so on.
        every: One cell of so many is taken by default.
    """
    return [
        pytest.param(*(name for _, name in cell), id="-".join(name for _, name in cell))
        for cell in product(*map(enumerate, axes))
        if FULL or sum(number for number, _ in cell) % every == 0
    ]


def keeps_connections(way: str, name: str) -> bool:
    """Whether calls of an interface keep their connections.

    A stream through a client that was given does not: nothing bounds the time to read its rest.
    """
    return "client" not in way or "stream" not in name
