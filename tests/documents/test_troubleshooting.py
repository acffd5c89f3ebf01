"""Each message quoted on the troubleshooting page is one that is raised."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from xai_lowcode.emulator import Emulator, running

sys.path.insert(0, str(Path(__file__).parent))

from triggers import TRIGGERS

PAGE = (Path(__file__).parents[2] / "docs" / "troubleshooting.md").read_text()
ENTRY = re.compile(
    r"^### (.+)\n\n```text\n(.+)\n```\n\n(.+)\n\n\*\*What to do:\*\* (.+)$", re.MULTILINE
)
ENTRIES = {heading: text for heading, text, _, _ in ENTRY.findall(PAGE)}


@pytest.fixture
def gateway() -> Iterator[Emulator]:
    """An emulator for one test, since a request that timed out may reach it after the test."""
    with running() as running_gateway:
        yield running_gateway


def test_the_page_and_the_triggers_have_the_same_entries() -> None:
    """Each heading has a complete entry, and each entry a function that triggers it."""
    assert list(ENTRIES) == re.findall(r"^### (.+)$", PAGE, re.MULTILINE)
    assert list(ENTRIES) == list(TRIGGERS)


@pytest.mark.parametrize("heading", list(TRIGGERS))
def test_a_quoted_message_is_raised(heading: str, gateway: Emulator) -> None:
    """Class and message match the page, where an ellipsis matches anything."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the class is compared below
        TRIGGERS[heading](gateway)
    pattern = re.escape(ENTRIES[heading]).replace("…", ".+")
    assert re.fullmatch(pattern, f"{type(raised.value).__name__}: {raised.value}")
    assert re.search(re.escape(heading).replace("…", ".+"), ENTRIES[heading])
