"""What nobody expects at the place of a member: every kind of JSON value at every place."""

import copy
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

Place = tuple[Any, ...]
MISSING = object()

ODD_VALUES: tuple[Any, ...] = (
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
"""One of each kind, and those that look like something else."""

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**63) | st.floats() | st.text()
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def places(document: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a document, its root included."""
    yield place
    members = document.items() if isinstance(document, dict) else ()
    items = enumerate(document) if isinstance(document, list) else members
    for key, value in items:
        yield from places(value, (*place, key))


def kind_of(place: Place) -> Place:
    """The place without numbers: members of all items of a list are one kind."""
    return tuple("*" if isinstance(key, int) else key for key in place)


def spoiled(document: Any, place: Place, value: Any) -> Any:
    """A copy with another value at a place; without the member for ``MISSING``."""
    if not place:
        return None if value is MISSING else value
    changed = copy.deepcopy(document)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if value is MISSING:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return changed


@st.composite
def spoiled_documents(draw: Any, documents: list[Any]) -> Any:
    """A document with up to three places changed to whatever hypothesis thinks of."""
    document = draw(st.sampled_from(documents))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(document))))
        document = spoiled(document, place, draw(json_values | st.just(MISSING)))
    return document


def cut(text: bytes, where: list[int]) -> list[bytes]:
    """The text in pieces, cut at the places that lie in it."""
    edges = [0, *sorted({place for place in where if 0 < place < len(text)}), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def shortened(chunks: list[Any]) -> list[Any]:
    """The chunks of a stream with one of each shape, in order."""
    shapes: set[Any] = set()
    kept = []
    for chunk in chunks:
        shape = (chunk.get("type"), (chunk.get("item") or {}).get("type"), *_members(chunk))
        if shape not in shapes:
            shapes.add(shape)
            kept.append(chunk)
    return kept


def _members(chunk: Any) -> Iterator[str]:
    """What the choices of a chunk have to say."""
    for choice in chunk.get("choices", ()):
        yield from sorted(choice.get("delta", choice))
        yield str(choice.get("finish_reason"))


def _none(_place: Place) -> bool:
    return False


def odd_versions(
    document: Any,
    seen: set[Any] | None = None,
    *,
    values: Sequence[Any] = ODD_VALUES,
    apart: Callable[[Place], bool] = _none,
) -> Iterator[Any]:
    """The document with each odd value at each place; of items alike, at the first.

    Args:
        document: What is spoiled.
        seen: Places that were spoiled before, in documents of the same kind; those here join them.
        values: What is put there.
        apart: Which places are left alone.
    """
    seen = set() if seen is None else seen
    shape = (document.get("type"), (document.get("item") or {}).get("type"))
    for place in places(document):
        if (*shape, kind_of(place)) not in seen and not apart(place):
            seen.add((*shape, kind_of(place)))
            for value in values:
                yield spoiled(document, place, value)
