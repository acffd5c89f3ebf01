"""Prints the changelog's section of a version; refuses a tag that is not this checkout's version.

Usage: ``release_notes.py v1.2.3``. Needs nothing installed.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(tag: str) -> str:
    """The section of the tag's version.

    Raises:
        SystemExit: The tag is not ``v`` and the version, or the changelog has nothing under it.
    """
    version = _version()
    if tag != f"v{version}":
        raise SystemExit(f"The tag is {tag}, but the version in _version.py is {version}.")
    notes = _section(version)
    if not notes:
        raise SystemExit(
            f"CHANGELOG.md has nothing under '## {version}'; move what is unreleased there."
        )
    return notes


def _version() -> str:
    text = (ROOT / "shared" / "xai_lowcode" / "_version.py").read_text()
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit("_version.py holds no version.")
    return found.group(1)


def _section(version: str) -> str:
    text = (ROOT / "CHANGELOG.md").read_text()
    heading = rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?\n"
    found = re.search(heading + r"(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1).strip() if found else ""


if __name__ == "__main__":
    print(main(sys.argv[1]))
