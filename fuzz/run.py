"""The coverage-guided fuzzer: ``make fuzz``, for ``FUZZ_SECONDS`` (60 unless set).

Atheris watches which lines of this package an input reaches, and keeps what reaches new ones; it
begins with what the emulator answers. An input that breaks a law, takes ten seconds or a gigabyte
is written to ``build/fuzz`` and ends the run with a traceback; ``python fuzz/run.py FILE`` runs it
again.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["xai_lowcode"], exclude=["xai_lowcode.emulator"]):
    from fuzz import targets
from tests.fuzz.bodies import bodies
from tests.fuzz.test_connections import RESPONSES, TRAILING_BYTES

HOME = ROOT / "build" / "fuzz"
SECONDS = os.environ.get("FUZZ_SECONDS", "60")
LONGEST = 8192
_WORDS = re.compile(rb'"[A-Za-z_.]{2,40}"')


def seeds() -> Iterator[bytes]:
    """Inputs that say something: each body for the target and the wire form that it is of."""
    known = bodies()
    for number, form in enumerate(targets.FORMS):
        for body in known.streams[form]:
            yield bytes((0, number, 200)) + body[:LONGEST]
        for body in known.plain[form]:
            yield bytes((1, number)) + body
    for number in range(len(targets.OPERATIONS)):
        for body in known.others:
            yield bytes((2, number, 0)) + body[:LONGEST]
    for whole in RESPONSES.values():
        for after in TRAILING_BYTES:
            yield bytes((3, 0, 255)) + whole + after[:LONGEST]


def _write(folder: Path, contents: Iterable[bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(contents):
        (folder / f"seed-{number:04}").write_bytes(content)


def _words() -> bytes:
    known = bodies()
    everything = b"".join((*known.others, *(b for some in known.streams.values() for b in some)))
    words = sorted({word.strip(b'"') for word in _WORDS.findall(everything)})
    return b"".join(b'"\\"%s\\""\n' % word for word in words)


def main() -> None:
    """Fuzzes for the time that is given, or runs the inputs in the files that are named."""
    arguments = [sys.argv[0], *sys.argv[1:]]
    if len(arguments) == 1:
        _write(HOME / "corpus", seeds())
        (HOME / "words.txt").write_bytes(_words())
        arguments += [
            str(HOME / "corpus"),
            f"-max_total_time={SECONDS}",
            f"-artifact_prefix={HOME}/",
            f"-dict={HOME / 'words.txt'}",
            f"-max_len={LONGEST + 3}",
            "-timeout=10",
            "-rss_limit_mb=1024",
            "-print_final_stats=1",
        ]
    atheris.Setup(arguments, targets.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
