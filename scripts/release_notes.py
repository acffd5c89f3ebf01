"""Print the changelog section of a version, if the tag matches the version of this checkout.

Usage: ``release_notes.py v1.2.3``. It needs only the standard library.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(tag: str) -> str:
    """Return the changelog section of the tag's version.

    Raises:
        SystemExit: The tag is not ``v`` plus the version, or the changelog has no such section.
    """
    version = _version()
    if tag != f"v{version}":
        raise SystemExit(
            f"tag: {tag} is not the version in _version.py. Tag v{version} or change the version."
        )
    notes = _section(version)
    if not notes:
        raise SystemExit(
            f"CHANGELOG.md: no text below '## {version}'. Move the unreleased changes there."
        )
    return notes


def _version() -> str:
    text = (ROOT / "shared" / "xai_lowcode" / "_version.py").read_text()
    match = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit("_version.py: __version__ not found.")
    return match.group(1)


def _section(version: str) -> str:
    text = (ROOT / "CHANGELOG.md").read_text()
    heading = rf"^## \[?{re.escape(version)}\]?(?: [^\n]*)?\n"
    match = re.search(heading + r"(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match.group(1).strip() if match else ""


if __name__ == "__main__":
    print(main(sys.argv[1]))
