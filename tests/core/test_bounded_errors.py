"""Law: an error costs and keeps no more for a large body than for a small one, nor half a token."""

import json
import re
import tracemalloc
from collections.abc import Callable, Iterator
from functools import lru_cache
from html import escape
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from xai_lowcode import redaction
from xai_lowcode.errors import (
    MAX_MESSAGE,
    APIStatusError,
    BadRequestError,
    InvalidResponseError,
    UsageError,
    XAILowCodeError,
    describe_value,
)
from xai_lowcode.protocol.error_mapping import (
    error_from_field,
    error_from_response,
    to_plain_text,
    unparsable_response_error,
)
from xai_lowcode.redaction import (
    ELLIPSIS,
    MAX_CHARACTERS,
    MAX_DEPTH,
    MAX_EXCERPT,
    MAX_NODES,
    MAX_STRING,
    TRUNCATED,
    bounded,
    excerpt,
    redact,
)

TOKEN = "at_r0123456789abcdef0123456789abcdef"
ODD_TOKEN = "c/a+n=a%r&y\\\"'<d>-0123456789"


def deep(size: int) -> Any:
    document: Any = TOKEN
    for _ in range(min(size, 50_000)):
        document = {"error": [document]}
    return document


# By name: a document of a size, as it comes out of JSON, or as text where it is none.
DOCUMENTS: dict[str, Callable[[int], Any]] = {
    "a page": lambda n: f"<html><body><p>{'bad luck <b>here</b> ' * (n // 20)}",
    "a page of one tag": lambda n: "<html><body " + "x" * n,
    "a page without text": lambda n: "<html><head><style>" + "a{}" * (n // 3),
    "white space": lambda n: " " * n,
    "a text": lambda n: "x bearer at " * (n // 12),
    "tokens": lambda n: f"{TOKEN} " * (n // 37),
    "cuts": lambda n: "at_r012… " * (n // 9),
    "one string": lambda n: {"error": "x bearer at " * (n // 12)},
    "one string deeper": lambda n: {"error": {"message": "y" * n, "code": "z" * n}},
    "one key": lambda n: {"error": "e", "k" * n: 1},
    "many nodes": lambda n: {"error": [{"a": 1, "b": "x"}] * (n // 20)},
    "many strings": lambda n: {"error": "e", "data": ["word"] * (n // 6)},
    "many keys": lambda n: {f"k{i}": None for i in range(n // 9)} | {"error": "e"},
    "a wide list": lambda n: [None] * (n // 5),
    "headers": lambda n: {"error": "e", "headers": {f"h{i}": "v" for i in range(n // 12)}},
    "deep": deep,
}
# By name: what makes an error of a document.
FACTORIES: dict[str, Callable[[Any], XAILowCodeError | None]] = {
    "refused": lambda document: error_from_response(400, document, {}, TOKEN),
    "failed": lambda document: error_from_response(502, document, {"x-request-id": "r"}, TOKEN),
    "inside a success": lambda document: error_from_response(200, document, {}, TOKEN),
    "not readable": lambda document: unparsable_response_error(
        document if isinstance(document, str) else "", {}, TOKEN
    ),
    "a failed response": lambda document: error_from_field({"output": document}, document),
    "of another shape": lambda document: InvalidResponseError("No.", body=document),
    "in all places": lambda document: UsageError(
        **dict.fromkeys(("message", "hint", "code", "request_id", "field"), text_of(document))
    ).redact_token(TOKEN),
}
# Characters that may be redacted for one error, in all passes together, whatever comes.
MOST_WORK = 4 * (MAX_EXCERPT + 2 * MAX_CHARACTERS)
every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
every_factory = for_each("make", FACTORIES)


@lru_cache(maxsize=1)
def build(document: Callable[[int], Any], size: int) -> Any:
    """Build a document once for all factories."""
    return document(size)


def text_of(document: Any) -> str:
    """Something long of a document, without walking through it."""
    return document if isinstance(document, str) else "a text, " * 100_000


class Counted:
    """What is removed from texts, with a count of the characters that are looked at."""

    def __init__(self, pattern: re.Pattern[str], seen: list[int]) -> None:
        self._pattern = pattern
        self._seen = seen

    def sub(self, blank: str, text: str) -> str:
        self._seen.append(len(text))
        return self._pattern.sub(blank, text)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of the texts that the regex was given."""
    pattern, lengths = redaction._pattern, list[int]()
    monkeypatch.setattr(redaction, "_pattern", lambda token: Counted(pattern(token), lengths))
    return lengths


@every_factory
@every_document
def test_work_does_not_grow_with_the_body(
    document: Callable[[int], Any],
    make: Callable[[Any], XAILowCodeError | None],
    seen: list[int],
) -> None:
    """The regex sees a bounded number of characters; a large body is not copied or split."""
    large = build(document, 2_000_000)
    seen.clear()
    tracemalloc.start()
    try:
        make(large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(seen) <= MOST_WORK
    assert len(seen) <= 2 * 4 * MAX_NODES
    # Less than the words of a text, or a redacted copy of a document, take.
    assert peak < 4_500_000


def shape(document: Any) -> Iterator[tuple[int, Any]]:
    """Depth and value of everything in a document, keys included."""
    waiting = [(0, document)]
    while waiting:
        depth, value = waiting.pop()
        yield depth, value
        if isinstance(value, dict):
            waiting += [(depth + 1, inner) for pair in value.items() for inner in pair]
        elif isinstance(value, list):
            waiting += [(depth + 1, inner) for inner in value]


@every_factory
@every_document
def test_what_is_kept_is_bounded(
    document: Callable[[int], Any], make: Callable[[Any], XAILowCodeError | None]
) -> None:
    """Texts, nodes and depth of an error have an upper bound, and it can be printed."""
    error = make(build(document, 1_000_000))
    if error is None:
        return
    for text in (error.message, error.hint, error.code, error.request_id, error.field):
        assert len(text or "") <= MAX_MESSAGE + len(ELLIPSIS)
    kept = list(shape(error.body))
    assert max(depth for depth, _ in kept) <= MAX_DEPTH
    # Each key counts here too, and each list or dict may have its mark.
    assert len(kept) <= 4 * MAX_NODES
    texts = [value for _, value in kept if isinstance(value, str) and value != TRUNCATED]
    assert max(map(len, texts), default=0) <= MAX_STRING + len(ELLIPSIS)
    assert sum(map(len, texts)) <= MAX_CHARACTERS + len(texts)
    assert repr(error) + repr(error.body) + json.dumps(error.body)
    assert TOKEN not in repr(vars(error))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


@given(json_values)
def test_a_small_document_is_kept_whole(document: Any) -> None:
    """A document within the bounds is what it would be without them."""
    assert bounded(document, TOKEN) == redact(document, TOKEN)


LARGE: dict[str, Any] = {
    **{name: make(100_000) for name, make in DOCUMENTS.items()},
    "strings that fit exactly": {"a": "x" * MAX_STRING, "b": "y" * (MAX_STRING - 2), "c": "z"},
    "nodes that fit exactly": [0] * (MAX_NODES - 1),
    "lists in lists": [[[0] * 40] * 40] * 40,
    "an escape at the end": {"a": "x" * (MAX_STRING - 1) + "é"},
}


@pytest.mark.parametrize("name", LARGE)
def test_bounding_again_changes_nothing(name: str) -> None:
    """Errors are bounded each time they are passed on, and lose nothing by it."""
    once = bounded(LARGE[name], TOKEN)
    assert bounded(once, TOKEN) == once


def test_what_was_cut_says_so() -> None:
    """A string ends with an ellipsis, a list or dict with the mark; what fits has neither."""
    assert bounded("x" * (MAX_STRING + 1)) == "x" * MAX_STRING + ELLIPSIS
    assert bounded("x" * MAX_STRING) == "x" * MAX_STRING
    assert bounded([0] * MAX_NODES) == [0] * (MAX_NODES - 1) + [TRUNCATED]
    assert bounded([0] * (MAX_NODES - 1)) == [0] * (MAX_NODES - 1)
    wide = bounded({str(i): 0 for i in range(MAX_NODES + 5)})
    assert list(wide)[-1] == wide[TRUNCATED] == TRUNCATED
    assert len(wide) == MAX_NODES
    assert bounded(["x" * MAX_STRING] * 5) == ["x" * MAX_STRING] * 2 + [TRUNCATED]
    # Lists that come after the last of the room are there, and marked.
    assert bounded([[1], [0] * MAX_NODES, [2]])[::2] == [[1], [TRUNCATED]]
    assert bounded([[0] * MAX_NODES, [1], []]) == [
        [0] * (MAX_NODES - 4) + [TRUNCATED],
        [TRUNCATED],
        [],
    ]
    assert excerpt(b"x" * 9, limit=4) == "xxxx…"
    # Half a character is no character.
    assert excerpt("é".encode() * 9, limit=5) == "éé…"
    assert excerpt(b"\xff", limit=5) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "document",
    [
        {f"k{i}": "x" * 50 for i in range(5_000)} | {"error": {"message": "Told.", "code": "c"}},
        {"data": [[0] * 1_000] * 1_000, "error": {"message": "Told.", "code": "c"}},
        {"a": "x" * 10**6, "error": {"message": "Told.", "code": "c"}, "b": "x" * 10**6},
        {"a": deep(5_000), "error": {"message": "Told.", "code": "c"}},
    ],
    ids=["wide", "after a list", "between texts", "after a deep one"],
)
def test_a_large_body_does_not_hide_what_it_says(document: Any) -> None:
    """The text and the code of a refusal are found wherever they are, not only at the beginning."""
    error = error_from_response(400, document, {}, TOKEN)
    assert error is not None
    assert (error.message, error.code) == ("Told.", "c")


def test_the_text_of_a_page_is_found_behind_a_long_head() -> None:
    """A page is read further than it is kept."""
    page = f"<html><head><style>{'a{}' * 10_000}</style></head><body><h1>502 Bad Gateway</h1>"
    error = error_from_response(502, page, {})
    assert error is not None
    assert error.message == "502 Bad Gateway"
    assert len(error.body) == MAX_STRING + 1


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": lambda token: quote(token, safe=""),
    "quoted but for slashes": quote,
    "quoted in small letters": lambda token: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(token, safe="")
    ),
    "quoted twice": lambda token: quote(quote(token, safe=""), safe=""),
    "in HTML": escape,
    "in JSON": lambda token: json.dumps(token)[1:-1],
    "by repr": lambda token: repr(token)[1:-1],
}
# By name: what is shown of a text with a token at about so many characters; the first cut is made
# with the token known, or without it and redacted later.
SHOWN: dict[str, tuple[int, Callable[[str, str], Any]]] = {
    "excerpt": (300, lambda text, token: excerpt(text, token, limit=300)),
    "excerpt of bytes": (300, lambda text, token: excerpt(text.encode(), token, limit=300)),
    "readable": (500, to_plain_text),
    "not readable": (500, lambda text, token: vars(unparsable_response_error(text, {}, token))),
    "a refusal": (500, lambda text, token: vars(refusal({"error": text}, token))),
    "a refusal as text": (500, lambda text, token: vars(refusal(text, token))),
    "body of a refusal": (MAX_STRING, lambda text, token: vars(refusal([text], token))),
    "a page": (MAX_EXCERPT, lambda text, token: vars(refusal(page_of(text), token))),
    "a key": (MAX_STRING, lambda text, token: bounded({text: 1}, token)),
    "message, later": (
        MAX_MESSAGE,
        lambda text, token: vars(XAILowCodeError(text).redact_token(token)),
    ),
    "body, later": (
        MAX_STRING,
        lambda text, token: vars(XAILowCodeError("", body=[{text: text}]).redact_token(token)),
    ),
    "text, later": (500, lambda text, token: excerpt(f"({to_plain_text(text)})", token)),
    "of a response, later": (
        500,
        lambda text, token: vars(error_from_field({"output": []}, text).redact_token(token)),
    ),
    "repr, later": (500, lambda text, token: excerpt(describe_value(text), token)),
}


def refusal(document: Any, token: str) -> APIStatusError:
    error = error_from_response(400, document, {}, token)
    assert error is not None
    return error


def page_of(text: str) -> str:
    """A page of the same length, of which nothing but the last word is shown."""
    begin, end = "<html><body ", "> "
    filler = len(text) - len(text.lstrip("-"))
    return begin + "-" * (filler - len(begin) - len(end)) + end + text[filler:]


def halves(shown: str, spelling: str) -> list[str]:
    """The beginnings of the token, longer than 3 characters, that are left before a cut."""
    before = shown.split(ELLIPSIS)[:-1]
    return [
        written[:length]
        # What is shown may be the repr of a document, which doubles backslashes.
        for written in {spelling, spelling.replace("\\", "\\\\")}
        for text in before
        for length in range(4, len(written) + 1)
        if text.endswith(written[:length])
    ]


@pytest.mark.parametrize("name", SHOWN)
def test_no_cut_leaves_half_a_token(name: str) -> None:
    """A text truncated at any character of a token, in any spelling, holds no part of it."""
    place, show = SHOWN[name]
    for token, spell in product([TOKEN, ODD_TOKEN, "short-1"], SPELLINGS):
        spelling = SPELLINGS[spell](token)
        truncated = 0
        for inside in range(-3, len(spelling) + 3):
            text = "-" * (place - inside) + spelling + " and so on" * 60
            shown = str(show(text, token))
            assert spelling not in shown, (token, spell, inside)
            assert not halves(shown, spelling), (token, spell, inside)
            truncated += ELLIPSIS in shown
        assert truncated, (token, spell)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize(
    "secret", [TOKEN, "xai-abcdefghijklmnopqrstuvwxyz", "api_token=abcdefghi", "Bearer abcdefghi"]
)
def test_no_cut_leaves_half_of_what_looks_like_a_token(secret: str, name: str) -> None:
    """The same where nobody knows the token, for the part of a known form that is secret."""
    place, show = SHOWN[name]
    begin = re.match(r"api_token=|Bearer |at_|xai-", secret)
    assert begin is not None
    for inside in range(-3, len(secret) + 3):
        text = "-" * (place - inside - 1) + " " + secret + " and so on" * 60
        shown = str(show(text, "canary-of-somebody-else"))
        for length in range(len(begin[0]) + 1, len(secret) + 1):
            assert secret[:length] not in shown


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=6, max_size=40),
    st.sampled_from(list(SPELLINGS)),
    st.integers(0, 60),
)
def test_no_cut_leaves_half_of_any_token(token: str, spelling: str, inside: int) -> None:
    """The same for any token."""
    spelled = SPELLINGS[spelling](token)
    shown = excerpt("é" * 60 + spelled + "é" * 60, token, limit=60 + inside)
    assert not halves(shown, spelled)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: xai-0…0.",
        "a key of xAI (xai-…)",
        "it begins with at_…",
        "at_0…0",
    ],
)
def test_a_key_that_others_masked_stays_readable(text: str) -> None:
    """An ellipsis inside a key is no cut, and a prefix alone is no secret."""
    assert redact(text) == redact(text, TOKEN) == text


REDIRECTS = [
    "https://login.example/start",
    "/login",
    f"https://login.example/?next=/xai/v1/models?api_token={TOKEN}",
    f"https://login.example/?next=%2Fxai%2Fv1%3Fapi_token%3D{TOKEN}&a=b",
    f"https://login.example/{ODD_TOKEN}",
    "https://login.example/" + "x" * 100_000,
    "https://login.example/" + "x" * 270 + ODD_TOKEN,
]


@pytest.mark.parametrize("location", REDIRECTS)
def test_a_redirect_names_where_it_leads(location: str) -> None:
    """The message has the location without the token, is short, and has a hint."""
    documents = ["", "Found", "<html><h1>Moved</h1>", {"message": "m"}, None]
    for document, status in product(documents, [301, 302, 303, 307, 308]):
        error = error_from_response(status, document, {"location": location}, ODD_TOKEN)
        assert type(error) is BadRequestError, (document, status)
        assert error.message.startswith(f"The server redirects to {location[:6]}")
        assert error.message.endswith("(redirects are not followed: check base_url)")
        assert TOKEN[:7] not in str(vars(error))
        assert ODD_TOKEN[:4] not in str(vars(error))
        assert len(error.message) < 500
        assert len(location) > 30 or location in error.message


@pytest.mark.parametrize("headers", [{}, {"location": ""}])
def test_a_redirect_to_nowhere_says_what_it_says(headers: dict[str, str]) -> None:
    """Without an address, and for what is no redirect, the text is that of the body."""
    error = error_from_response(304, "Not modified", headers)
    assert error is not None
    assert error.message == "Not modified"
    refused = error_from_response(400, "Bad", {"location": "/x"})
    assert refused is not None
    assert refused.message == "Bad"
