"""Prints constraints for the oldest set that ``pyproject.toml`` allows; for ``make test-floors``.

What users install is held at its floor, development tools at the versions in ``constraints.txt``.
What both of them need in turn is left to the resolver.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Prints one constraint a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = {floor.name: floor for floor in _installed(project)}
    print(*(f"{name}=={_floor(each)}" for name, each in installed.items()), sep="\n")
    tools = {Requirement(line).name for line in project["optional-dependencies"]["dev"]}
    for pin in (ROOT / "constraints.txt").read_text().splitlines():
        if canonicalize_name(pin.partition("==")[0]) in tools - installed.keys():
            print(pin)


def _installed(project: dict[str, Any]) -> Iterator[Requirement]:
    """What the package needs, alone and with the extras that ``all`` names."""
    extras = project["optional-dependencies"]
    (everything,) = map(Requirement, extras["all"])
    for line in project["dependencies"]:
        yield Requirement(line)
    for extra in sorted(everything.extras):
        yield from map(Requirement, extras[extra])


def _floor(requirement: Requirement) -> str:
    (floor,) = (each.version for each in requirement.specifier if each.operator == ">=")
    return floor


if __name__ == "__main__":
    main()
