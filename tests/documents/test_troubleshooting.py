"""The page on troubleshooting is true: each text it quotes is one that is really raised."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xai_lowcode.emulator import Emulator, running

sys.path.insert(0, str(Path(__file__).parent))

from provoking import WAYS

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
ENTRY = re.compile(
    r"^### (.+)\n\n```text\n(.+)\n```\n\n(.+)\n\n\*\*What to do:\*\* (.+)$", re.MULTILINE
)
ENTRIES = {heading: text for heading, text, _, _ in ENTRY.findall(PAGE)}


@pytest.fixture(scope="module")
def gateway() -> Iterator[Emulator]:
    """An emulator for all of them."""
    with running() as running_gateway:
        yield running_gateway


def test_the_page_and_the_ways_have_the_same_entries() -> None:
    """Each heading has an entry in full, and each entry a way to bring it about."""
    assert list(ENTRIES) == re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    assert list(ENTRIES) == list(WAYS)


@pytest.mark.parametrize("heading", list(WAYS))
def test_a_quoted_text_is_what_is_raised(heading: str, gateway: Emulator) -> None:
    """Class and text are those of the page, where an ellipsis stands for anything."""
    gateway.reset()
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which class it is, is compared below
        WAYS[heading](gateway)
    pattern = re.escape(ENTRIES[heading]).replace("…", ".+")
    assert re.fullmatch(pattern, f"{type(raised.value).__name__}: {raised.value}")
    assert re.search(re.escape(heading).replace("…", ".+"), ENTRIES[heading])
