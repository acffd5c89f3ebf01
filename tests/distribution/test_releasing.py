"""Law: workflows run pinned actions and the Makefile's commands; a release is what its tag says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import xai_lowcode

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yml"))}
JOBS = [
    pytest.param(job, id=f"{name}-{title}")
    for name, workflow in WORKFLOWS.items()
    for title, job in workflow["jobs"].items()
]
USES = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_what_the_makefile_has(job: dict[str, Any]) -> None:
    """Every `make` in a workflow is a target, and each job ends by itself."""
    makefile = (ROOT / "Makefile").read_text()
    commands = " ; ".join(step.get("run", "") for step in job["steps"])
    for target in re.findall(r"make ([a-z-]+)", commands):
        assert f"\n{target}:" in makefile, target
    assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_actions_are_pinned_and_no_secret_is_read(path: Path) -> None:
    """Each action is a commit with its version beside it, and no secret is used."""
    text = path.read_text()
    for line in filter(lambda line: "uses:" in line, text.splitlines()):
        assert USES.search(line), line
    assert "secrets." not in text
    assert "password" not in text


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=list(WORKFLOWS))
def test_rights_are_given_where_they_are_needed(workflow: dict[str, Any]) -> None:
    """A workflow reads; only jobs that publish may do more, and those run no code of ours."""
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if "write" in job.get("permissions", {}).values():
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
            assert "make" not in " ".join(step.get("run", "") for step in job["steps"])


def test_a_release_is_tested_before_it_is_published() -> None:
    """Only a tag publishes, and only what was built after the tests."""
    release = WORKFLOWS["release"]
    # YAML reads the key `on` as true.
    assert release[True] == {"push": {"tags": ["v*"]}}
    ran = [step.get("run", "") for step in release["jobs"]["build"]["steps"]]
    order = [
        next(index for index, command in enumerate(ran) if word in command)
        for word in ("release_notes.py", "make test ", "make test-wheels", "make build")
    ]
    assert order == sorted(order)
    assert release["jobs"]["publish"]["needs"] == "build"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that decide on a release, with a version of their own."""
    package = tmp_path / "shared" / "xai_lowcode"
    package.mkdir(parents=True)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    version = (ROOT / "shared" / "xai_lowcode" / "_version.py").read_text()
    (package / "_version.py").write_text(version.replace(xai_lowcode.__version__, "1.2.3"))
    return tmp_path


CHANGES = "# Changelog\n\n## Unreleased\n\n- Later.\n\n{}\n\n## 1.2.2 - 2020-01-01\n\n- Before.\n"
NOTES = "### Added\n\n- A thing."


@pytest.mark.parametrize(
    "heading", ["## 1.2.3", "## 1.2.3 - 2020-02-02", "## [1.2.3] - 2020-02-02"]
)
def test_the_notes_of_a_release_are_its_section(checkout: Path, heading: str) -> None:
    """What is under the version's heading is printed, and nothing around it."""
    (checkout / "CHANGELOG.md").write_text(CHANGES.format(f"{heading}\n\n{NOTES}"))
    assert told(checkout, "v1.2.3") == (0, f"{NOTES}\n", "")


@pytest.mark.parametrize(
    ("tag", "section", "reason"),
    [
        ("v1.2.4", f"## 1.2.4\n\n{NOTES}", "The tag is v1.2.4"),
        ("1.2.3", f"## 1.2.3\n\n{NOTES}", "The tag is 1.2.3"),
        ("v1.2.3", "", "nothing under '## 1.2.3'"),
        ("v1.2.3", "## 1.2.3\n\n", "nothing under '## 1.2.3'"),
        ("v1.2.3", f"## 1.2.30\n\n{NOTES}", "nothing under '## 1.2.3'"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    checkout: Path, tag: str, section: str, reason: str
) -> None:
    """A tag that is not the version, or that the changelog does not know, ends the release."""
    (checkout / "CHANGELOG.md").write_text(CHANGES.format(section))
    code, output, words = told(checkout, tag)
    assert (code, output) == (1, "")
    assert reason in words


def told(checkout: Path, tag: str) -> tuple[int, str, str]:
    """What release_notes.py says to a tag."""
    command = [sys.executable, str(checkout / "scripts" / "release_notes.py"), tag]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr
