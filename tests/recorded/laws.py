"""Which law holds for which recorded body; counted here, tested in the files beside.

``python -m tests.recorded.laws`` from the root of the repository prints how many bodies of each
API lie under each law.
"""

from collections import Counter
from collections.abc import Callable

from tests.cases import Test, for_each
from tests.recorded.bodies import Case, cases
from tests.recorded.rendering import plain_of, translated


def _is_counted(case: Case) -> bool:
    """Whether an answer tells its usage."""
    return bool(case.form) and bool(plain_of(case).get("usage"))


LAWS: dict[str, Callable[[Case], bool]] = {
    "facts": lambda case: bool(case.form and case.expect),
    "folded": lambda case: bool(case.form),
    "any cut": lambda case: bool(case.form),
    "sent back": lambda case: bool(case.form),
    "strangers": lambda case: bool(case.form),
    "usage": _is_counted,
    "broken off": lambda case: bool(case.form),
    "errors": lambda case: case.folder == "errors",
    "records": lambda case: case.folder != "errors" and not case.stream,
}
"""Law by name: whether it is about a body.

* facts: a reader finds what the index says.
* folded: the plain answer is what its stream folds into.
* any cut: the events are the same, however the bytes arrive.
* sent back: what the service answered goes back byte for byte.
* strangers: what nobody has heard of is carried or passed over.
* usage: input and output are the total, each with its parts inside.
* broken off: a stream without its end-of-stream marker is an error.
* errors: the class that the status and the words stand for, in every way of asking.
* records: the endpoint's own row reads it in each envelope, with nothing lost.
"""


def under(law: str) -> Callable[[Test], Test]:
    """Run a test for each body under a law."""
    return for_each("case", {str(case): case for case in bodies_under(law)})


def bodies_under(law: str) -> list[Case]:
    """The bodies that a law is about: recorded ones, and chats told in Anthropic's form."""
    return [case for case in (*cases(), *translated()) if LAWS[law](case)]


def table() -> str:
    """How many bodies lie under each law, by API; others by nothing but their number."""
    columns = ("chat_completions", "messages", "responses", "")
    lines = [f"| law | {' | '.join(columns)}other | all |", "|---" * (len(columns) + 2) + "|"]
    for law in LAWS:
        counts = Counter(case.form for case in bodies_under(law))
        cells = [law, *(str(counts[form]) for form in columns), str(counts.total())]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201 - the table is what the command is for
