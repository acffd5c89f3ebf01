"""Documents with invalid values: each kind of JSON value at each key path."""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

KeyPath = tuple[Any, ...]
MISSING = object()

INVALID_VALUES: tuple[Any, ...] = (
    MISSING,
    None,
    True,
    -1,
    1e300,
    "x",
    [],
    [None],
    [{}],
    {"x": 1},
    {"type": [], "text": {}},
)
"""One of each JSON type, and some that resemble a valid value."""

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**63) | st.floats() | st.text()
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def key_paths(document: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of each value in a document, including its root."""
    yield path
    fields = document.items() if isinstance(document, dict) else ()
    items = enumerate(document) if isinstance(document, list) else fields
    for key, value in items:
        yield from key_paths(value, (*path, key))


def without_indexes(path: KeyPath) -> KeyPath:
    """Return the path without indexes, so that all items of a list have equal paths."""
    return tuple("*" if isinstance(key, int) else key for key in path)


def with_types(document: Any, path: KeyPath) -> KeyPath:
    """Return the path with the type of the item in place of each index."""
    typed: list[Any] = []
    for key in path:
        document = document[key]
        kind = document.get("type") if isinstance(document, dict) else type(document).__name__
        typed.append(("item", str(kind)) if isinstance(key, int) else key)
    return tuple(typed)


def replaced(document: Any, path: KeyPath, value: Any) -> Any:
    """Return a document with another value at a path; without the key for ``MISSING``.

    The rest is not copied: nothing changes a document.
    """
    if not path:
        return None if value is MISSING else value
    key, *rest = path
    changed = copy.copy(document)
    if value is MISSING and not rest:
        del changed[key]
    else:
        changed[key] = replaced(document[key], tuple(rest), value)
    return changed


@st.composite
def changed_documents(draw: Any, documents: list[Any]) -> Any:
    """Draw a document with up to three values replaced."""
    document = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(key_paths(document))))
        document = replaced(document, path, draw(json_values | st.just(MISSING)))
    return document


def cut(text: bytes, offsets: list[int]) -> list[bytes]:
    """Split a text at the offsets that are inside it."""
    edges = [0, *sorted({path for path in offsets if 0 < path < len(text)}), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def distinct_chunks(chunks: list[Any]) -> list[Any]:
    """Return the first chunk of each shape, in order."""
    shapes: set[Any] = set()
    distinct = []
    for chunk in chunks:
        shape = (chunk.get("type"), (chunk.get("item") or {}).get("type"), *_choice_keys(chunk))
        if shape not in shapes:
            shapes.add(shape)
            distinct.append(chunk)
    return distinct


def _choice_keys(chunk: Any) -> Iterator[str]:
    """Yield the keys and finish reasons of a chunk's choices."""
    for choice in chunk.get("choices", ()):
        yield from sorted(choice.get("delta", choice))
        yield str(choice.get("finish_reason"))


def _none(_place: KeyPath) -> bool:
    return False


def invalid_versions(
    document: Any,
    visited: set[Any] | None = None,
    *,
    values: Sequence[Any] = INVALID_VALUES,
    skip: Callable[[KeyPath], bool] = _none,
) -> Iterator[Any]:
    """Yield the document with each invalid value at each path; in a list, in the first item only.

    Args:
        document: The document to change.
        visited: Paths that were changed before, in similar documents; the paths here are added.
        values: The values to insert.
        skip: Whether a path is left unchanged.
    """
    visited = set() if visited is None else visited
    shape = (document.get("type"), (document.get("item") or {}).get("type"))
    for path in key_paths(document):
        if (*shape, without_indexes(path)) not in visited and not skip(path):
            visited.add((*shape, without_indexes(path)))
            for value in values:
                yield replaced(document, path, value)
