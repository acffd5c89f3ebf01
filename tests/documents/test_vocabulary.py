"""Sources, tests, documents and notebooks use standard terms, not words private to the project."""

import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("shared", "langchain_xai_lowcode", "llama_index_xai_lowcode", "llama_index")
# Regular expressions, and the term to use instead. A space matches any white space.
REPLACEMENTS = {
    r"wire[ _-]forms?": "API",
    r"pictures?": "image",
    r"thoughts": "reasoning",
    r"sealed": "encrypted",
    r"deferred answers?": "deferred completion",
    r"tools? that xAI runs?": "server-side tool",
    r"objects? that fits?": "structured output",
    r"mishaps?|misfortunes?": "fault",
    r"befalls?|befell": "is injected",
    r"closing (?:sign|event)": "end-of-stream marker, terminal event",
    r"cut on (?:our|this) side|enforced here": "truncated client-side",
    r"given away": "can be retrieved only once",
    r"in flight": "concurrent requests",
    r"peers": "alternatives, other integrations",
    r"verbatim": "preserved, sent back unchanged",
    r"tapes?": "VCR cassette",
    r"person(?: who)? approves?": "human-in-the-loop",
    r"many at once": "concurrency",
    r"tokens and money": "token usage and cost",
    r"tried again": "retried",
    r"(?:may|will) pass": "transient",
    r"whole numbers?": "integer",
    r"who refused|maker": "source",
    r"says nothing|is told|are told": "reports, is set to",
    r"whoever|whatever becomes": "the subject itself",
    r"contenders?": "client, implementation",
    r"must be paid": "baseline",
}
OLD_NAMES = (
    r"GatewayModel|XAILowCodeLLM|UnreadableAnswerError|DamagedFileError|Deferral"
    r"|first_pause|longest_pause|learn_url_forms|to_pil\(\)"
)
# Words that the emulator recognizes in prompts, and links to tests, whose names are not prose.
NOT_PROSE = re.compile(r"word_stems\(.*|\]\((?:\.\./)+tests/[^)]*\)")


@functools.cache
def texts() -> dict[Path, str]:
    """Return the prose of the files whose words are checked."""
    return {path: NOT_PROSE.sub("", path.read_text(encoding="utf-8")) for path in files()}


def files() -> Iterator[Path]:
    """Yield the files whose words are checked."""
    for package in PACKAGES:
        yield from sorted((ROOT / package).rglob("*.py"))
    yield from sorted({*(ROOT / "tests").rglob("*.py")} - {Path(__file__)})
    yield from sorted((ROOT / "docs").rglob("*.md"))
    yield from (ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY"))
    for folder in ("notebooks", "notebooks/sources", "examples", "benchmarks"):
        yield from sorted((ROOT / folder).glob("*.py"))


@functools.cache
def lower_texts() -> dict[Path, str]:
    """Return the texts in lower case."""
    return {path: text.lower() for path, text in texts().items()}


def occurrences(word: str, texts: dict[Path, str]) -> Iterator[str]:
    """Yield the place of each occurrence of a word, as ``file:line``."""
    # A pattern that begins with its literals is found ten times as fast as one that begins with a
    # condition or ignores case.
    pattern = re.compile(rf"(?:{word})(?![^\W_])".replace(" ", r"\s+"))
    for path, text in texts.items():
        for match in pattern.finditer(text):
            start = match.start()
            if not text[max(0, start - 1) : start].isalnum():
                line = text.count("\n", 0, start) + 1
                yield f"{path.relative_to(ROOT)}:{line}: {match[0]!r}"


@pytest.mark.parametrize(("word", "term"), REPLACEMENTS.items(), ids=REPLACEMENTS)
def test_a_private_word_is_not_used(word: str, term: str) -> None:
    """A private word does not occur; the message lists file, line and the term to use."""
    places = list(occurrences(word.lower(), lower_texts()))
    assert not places, f"write {term!r} instead:\n" + "\n".join(places)


def test_old_names_are_not_used() -> None:
    """Names that were removed or renamed do not occur."""
    places = list(occurrences(OLD_NAMES, texts()))
    assert not places, "\n".join(places)
