"""Check the workflows of .github, scripts/release_notes.py, and the commands that install."""

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
# Where pip finds the package. Empty after the first release, see docs/releasing.md.
SOURCE = " @ git+https://github.com/xai-lowcode/xai-lowcode"
INSTALLS = re.compile(r"(?:pip install|pipx install|uvx?|poetry add)\b[^\n]*")
REQUIREMENT = re.compile(r"(?<![\w./-])xai-lowcode(?:\[[\w,-]+\])?(?P<source> @ [^\s\\\"'`]+)?")
FOLDERS = (
    ".github",
    "docs",
    "examples",
    "langchain_xai_lowcode",
    "llama_index_xai_lowcode",
    "notebooks",
)
USES = re.compile(r"uses: (?P<action>[\w./-]+)@(?P<commit>[0-9a-f]{40}) # v\d+\.\d+\.\d+$")


@pytest.mark.parametrize("job", JOBS)
def test_jobs_use_targets_of_the_makefile(job: dict[str, Any]) -> None:
    """Each `make` in a workflow names a target, and each job has a timeout."""
    makefile = (ROOT / "Makefile").read_text()
    commands = " ; ".join(step.get("run", "") for step in job["steps"])
    for target in re.findall(r"make ([a-z-]+)", commands):
        assert f"\n{target}:" in makefile, target
    assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yml")), ids=lambda path: path.stem)
def test_actions_are_pinned_and_no_secret_is_used(path: Path) -> None:
    """Each action is pinned to a commit, with its version in a comment."""
    text = path.read_text()
    for line in filter(lambda line: "uses:" in line, text.splitlines()):
        assert USES.search(line), line
    assert "secrets." not in text
    assert "password" not in text


def test_pinned_actions_and_tools_are_updated() -> None:
    """Dependabot updates the actions and the folder of the release tools."""
    settings = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())
    updated = {(each["package-ecosystem"], each["directory"]) for each in settings["updates"]}
    assert updated == {("github-actions", "/"), ("pip", "/scripts")}


def test_release_tools_are_pinned_with_hashes() -> None:
    """Each release tool has its version and hashes; the file names no index, URL or path."""
    text = (ROOT / "scripts" / "tools.txt").read_text()
    entries = re.split(r"\n(?=\S)", text.strip())
    pinned = {}
    for entry in entries:
        match = re.match(r"([\w.-]+)==(\S+)(?: ; [^\\]+)? \\\n", entry)
        assert match, entry
        assert re.findall(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        pinned[match[1]] = match[2]
    assert "/" not in text
    wanted = dict(
        line.split("==") for line in (ROOT / "scripts" / "tools.in").read_text().splitlines()
    )
    assert wanted.items() <= pinned.items()
    makefile = (ROOT / "Makefile").read_text()
    assert "--require-hashes -r scripts/tools.txt" in makefile


def test_the_page_names_targets_and_jobs_that_exist() -> None:
    """The commands of the page are targets, and each job of the workflow is described."""
    page = (ROOT / "docs" / "releasing.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    commands = re.findall(r"^ *make ([a-z -]+?)(?: +#.*)?$", page, re.MULTILINE)
    targets = {target for command in commands for target in command.split()}
    assert targets >= {"test", "test-wheels", "build", "audit"}
    for target in targets | set(re.findall(r"`make ([a-z-]+)`", page)):
        assert f"\n{target}:" in makefile, target
    for job in WORKFLOWS["release"]["jobs"]:
        assert f"`{job}`" in page


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=list(WORKFLOWS))
def test_write_permissions_are_limited(workflow: dict[str, Any]) -> None:
    """Only jobs that run no code of the repository have write permissions."""
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        if "write" in job.get("permissions", {}).values():
            assert not any("checkout" in step.get("uses", "") for step in job["steps"])
            assert "make" not in " ".join(step.get("run", "") for step in job["steps"])


def test_a_release_is_tested_before_it_is_published() -> None:
    """Only a tag starts a release, and the archives are built after the tests."""
    release = WORKFLOWS["release"]
    # YAML reads the key `on` as true.
    assert release[True] == {"push": {"tags": ["v*"]}}
    commands = [step.get("run", "") for step in release["jobs"]["build"]["steps"]]
    order = [
        next(index for index, run in enumerate(commands) if command in run)
        for command in ("release_notes.py", "make test ", "make test-wheels", "make build")
    ]
    assert order == sorted(order)
    assert release["jobs"]["publish"]["needs"] == "build"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder with the release script and version 1.2.3."""
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
def test_release_notes_are_the_section_of_the_version(checkout: Path, heading: str) -> None:
    """The script prints the text below the version's heading and nothing else."""
    (checkout / "CHANGELOG.md").write_text(CHANGES.format(f"{heading}\n\n{NOTES}"))
    assert release_notes(checkout, "v1.2.3") == (0, f"{NOTES}\n", "")


@pytest.mark.parametrize(
    ("tag", "section", "reason"),
    [
        ("v1.2.4", f"## 1.2.4\n\n{NOTES}", "tag: v1.2.4 is not"),
        ("1.2.3", f"## 1.2.3\n\n{NOTES}", "tag: 1.2.3 is not"),
        ("v1.2.3", "", "no text below '## 1.2.3'"),
        ("v1.2.3", "## 1.2.3\n\n", "no text below '## 1.2.3'"),
        ("v1.2.3", f"## 1.2.30\n\n{NOTES}", "no text below '## 1.2.3'"),
    ],
)
def test_an_invalid_tag_is_rejected(checkout: Path, tag: str, section: str, reason: str) -> None:
    """A tag that is not the version, or has no changelog section, is an error."""
    (checkout / "CHANGELOG.md").write_text(CHANGES.format(section))
    code, output, error = release_notes(checkout, tag)
    assert (code, output) == (1, "")
    assert reason in error


def release_notes(checkout: Path, tag: str) -> tuple[int, str, str]:
    """Return the exit code, output and errors of release_notes.py."""
    command = [sys.executable, str(checkout / "scripts" / "release_notes.py"), tag]
    result = subprocess.run(command, check=False, capture_output=True, text=True)
    return result.returncode, result.stdout, result.stderr


def test_every_command_installs_from_the_same_source() -> None:
    """No page, example, notebook or docstring installs the name alone before it is published."""
    files = [*ROOT.glob("*.md"), *(path for name in FOLDERS for path in (ROOT / name).rglob("*"))]
    sources = {
        path.relative_to(ROOT).as_posix(): {match["source"] or "" for match in matches}
        for path in files
        if path.suffix in {".ipynb", ".md", ".py", ".yml"}
        and (matches := find_requirements(path.read_text(encoding="utf-8")))
    }
    assert {"README.md", "examples/web_server.py", "docs/how-to/testing.md"} <= sources.keys()
    assert {path: source for path, source in sources.items() if source != {SOURCE}} == {}


def find_requirements(text: str) -> list[re.Match[str]]:
    """Return the requirements on this package in the commands that install."""
    return [match for command in INSTALLS.findall(text) for match in REQUIREMENT.finditer(command)]
