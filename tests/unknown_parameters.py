"""Warnings about unknown parameters, which both adapters emit."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def expect_warning(*parts: str) -> Iterator[None]:
    """Expect one warning about an unknown parameter, with these parts."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    (text,) = [str(each.message) for each in caught if "unknown parameter" in str(each.message)]
    assert not [part for part in parts if part not in text], text


def misspelled(name: str) -> set[str]:
    """Return the name with a letter too few, too many, and without underscores."""
    return {name[:-1], name + name[-1], name.replace("_", ""), name[0] + name[2:]} - {name}
