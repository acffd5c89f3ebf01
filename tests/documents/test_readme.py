"""What the README states is true: outputs, links, commands, figures."""

import re
from pathlib import Path

import pytest

from xai_lowcode import __version__
from xai_lowcode.emulator import running

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
REPOSITORY = re.compile(
    r"https://github\.com/xai-lowcode/xai-lowcode/(?:blob|raw|tree)/main/([^)\s#]+)(?:#([^)\s]+))?"
)
# The importing column of benchmarks/results: "| name | ms | …".
IMPORT = re.compile(r"^\| ([\w, +-]+) \| (\d+) \| \d+ \|", re.MULTILINE)


@pytest.mark.parametrize("code", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_comments_are_the_output(
    code: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The comments below the calls of `print` are what the code prints with the emulator."""
    with running() as gateway:
        monkeypatch.setenv("LOWCODEAPI_API_TOKEN", gateway.api_token)
        monkeypatch.setenv("LOWCODEAPI_BASE_URL", gateway.base_url)
        exec(compile(code, "README.md", "exec"), {})  # noqa: S102 - code of the README
    expected = re.findall(r"^# (.+)$", code, re.MULTILINE)
    assert expected
    assert capsys.readouterr().out.splitlines() == expected


def test_links_are_valid_outside_of_the_repository() -> None:
    """All links are absolute; those into the repository lead to files and headings."""
    targets = re.findall(r"\]\((\S+?)[ )]", README)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []
    for path, anchor in REPOSITORY.findall(README):
        assert (ROOT / path).exists(), path
        titles = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(), re.MULTILINE) if anchor else []
        assert anchor in {"", *(title.lower().replace(" ", "-") for title in titles)}, path


def test_the_wheel_has_the_current_version() -> None:
    """The file name of the wheel has this version."""
    assert re.findall(r"dist/(\S+?)\[", README) == [f"xai_lowcode-{__version__}-py3-none-any.whl"]


def test_importing_takes_less_time_than_stated() -> None:
    """The measured ratios of import time are below three quarters."""
    results = (ROOT / "benchmarks" / "results" / "README.md").read_text(encoding="utf-8")
    times = {name: int(ms) for name, ms in IMPORT.findall(results)}
    for own_package, alternatives in {
        "xai-lowcode, LangChain": ["langchain-xai", "langchain-openai"],
        "xai-lowcode, LlamaIndex": ["llama-index OpenAILike"],
    }.items():
        assert all(times[own_package] < 0.75 * times[other] for other in alternatives)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_can_be_copied(page: Path) -> None:
    """No line of a code block begins with a shell's prompt."""
    blocks = re.findall(r"(?ms)^ *```(?:bash|console|text)\n(.*?)^ *```", page.read_text())
    assert not re.search(r"^ *(?:\$|PS>|>) ", "".join(blocks), re.MULTILINE)
