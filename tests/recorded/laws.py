"""The laws of recorded bodies, and the bodies that each law is tested with.

``python -m tests.recorded.laws`` from the root of the repository prints how many bodies
of each API each law is tested with.
"""

from collections import Counter
from collections.abc import Callable

from tests.cases import Test, for_each
from tests.recorded.bodies import Case, cases
from tests.recorded.rendering import plain_of, translated


def _is_counted(case: Case) -> bool:
    """Return whether a response has a usage."""
    return bool(case.api) and bool(plain_of(case).get("usage"))


LAWS: dict[str, Callable[[Case], bool]] = {
    "facts": lambda case: bool(case.api and case.expect),
    "folded": lambda case: bool(case.api),
    "any cut": lambda case: bool(case.api),
    "sent back": lambda case: bool(case.api),
    "unknown fields": lambda case: bool(case.api),
    "usage": _is_counted,
    "interrupted": lambda case: bool(case.api),
    "errors": lambda case: case.folder == "errors",
    "records": lambda case: case.folder != "errors" and not case.stream,
}
"""Law by name: whether it is about a body.

* facts: the parsed response has the facts that the index states.
* folded: the stream accumulates to the plain response.
* any cut: the events do not depend on the chunks in which the bytes arrive.
* sent back: the output items are sent back unchanged, byte for byte.
* unknown fields: unknown events, items and fields are kept or ignored.
* usage: input and output tokens add up to the total, and include their details.
* interrupted: a stream without its end-of-stream marker is an error.
* errors: an error has one class, in each method and envelope.
* records: the endpoint's row parses it in each envelope, and loses nothing.
"""


def for_law(law: str) -> Callable[[Test], Test]:
    """Run a test for each body of a law."""
    return for_each("case", {str(case): case for case in bodies_of_law(law)})


def bodies_of_law(law: str) -> list[Case]:
    """Return the bodies of a law: recorded ones, and chats translated to the Messages API."""
    return [case for case in (*cases(), *translated()) if LAWS[law](case)]


def table() -> str:
    """Return a table with the number of bodies of each law, by API."""
    columns = ("chat_completions", "messages", "responses", "")
    lines = [f"| law | {' | '.join(columns)}other | all |", "|---" * (len(columns) + 2) + "|"]
    for law in LAWS:
        counts = Counter(case.api for case in bodies_of_law(law))
        cells = [law, *(str(counts[api]) for api in columns), str(counts.total())]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - the table is what the command is for
