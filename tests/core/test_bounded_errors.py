"""Errors have bounded cost and size, and truncation leaves no part of a token."""

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


def nest_deeply(size: int) -> Any:
    document: Any = TOKEN
    for _ in range(min(size, 50_000)):
        document = {"error": [document]}
    return document


# By name: creates a document of a size: parsed JSON, or a string if the body is not JSON.
DOCUMENTS: dict[str, Callable[[int], Any]] = {
    "a page": lambda n: f"<html><body><p>{'bad luck <b>here</b> ' * (n // 20)}",
    "a page of one tag": lambda n: "<html><body " + "x" * n,
    "a page without text": lambda n: "<html><head><style>" + "a{}" * (n // 3),
    "white space": lambda n: " " * n,
    "a text": lambda n: "x bearer at " * (n // 12),
    "tokens": lambda n: f"{TOKEN} " * (n // 37),
    "truncated tokens": lambda n: "at_r012… " * (n // 9),
    "one string": lambda n: {"error": "x bearer at " * (n // 12)},
    "one string deeper": lambda n: {"error": {"message": "y" * n, "code": "z" * n}},
    "one key": lambda n: {"error": "e", "k" * n: 1},
    "many nodes": lambda n: {"error": [{"a": 1, "b": "x"}] * (n // 20)},
    "many strings": lambda n: {"error": "e", "data": ["word"] * (n // 6)},
    "many keys": lambda n: {f"k{i}": None for i in range(n // 9)} | {"error": "e"},
    "a wide list": lambda n: [None] * (n // 5),
    "headers": lambda n: {"error": "e", "headers": {f"h{i}": "v" for i in range(n // 12)}},
    "deep": nest_deeply,
}
# By name: creates an error from a document.
FACTORIES: dict[str, Callable[[Any], XAILowCodeError | None]] = {
    "status 400": lambda document: error_from_response(400, document, {}, TOKEN),
    "status 502": lambda document: error_from_response(502, document, {"x-request-id": "r"}, TOKEN),
    "status 200": lambda document: error_from_response(200, document, {}, TOKEN),
    "not JSON": lambda document: unparsable_response_error(
        document if isinstance(document, str) else "", {}, TOKEN
    ),
    "a failed response": lambda document: error_from_field({"output": document}, document),
    "unexpected response": lambda document: InvalidResponseError("No.", body=document),
    "all attributes": lambda document: UsageError(
        **dict.fromkeys(("message", "hint", "code", "request_id", "field"), get_long_text(document))
    ).redact_token(TOKEN),
}
# Maximum number of characters that are scanned for one error, in all passes together.
MAX_SCANNED = 4 * (MAX_EXCERPT + 2 * MAX_CHARACTERS)
every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)
every_factory = for_each("create_error", FACTORIES)


@lru_cache(maxsize=1)
def build(document: Callable[[int], Any], size: int) -> Any:
    """Build a document once for all factories."""
    return document(size)


def get_long_text(document: Any) -> str:
    """Return the document if it is a string, else another long string."""
    return document if isinstance(document, str) else "a text, " * 100_000


class CountingPattern:
    """A regular expression that records the lengths of the strings it is applied to."""

    def __init__(self, pattern: re.Pattern[str], lengths: list[int]) -> None:
        self._pattern = pattern
        self._lengths = lengths

    def sub(self, blank: str, text: str) -> str:
        self._lengths.append(len(text))
        return self._pattern.sub(blank, text)


@pytest.fixture
def scanned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the strings that the regular expression was applied to."""
    pattern, lengths = redaction._pattern, list[int]()
    monkeypatch.setattr(
        redaction, "_pattern", lambda token: CountingPattern(pattern(token), lengths)
    )
    return lengths


@every_factory
@every_document
def test_the_cost_does_not_grow_with_the_body(
    document: Callable[[int], Any],
    create_error: Callable[[Any], XAILowCodeError | None],
    scanned: list[int],
) -> None:
    """A bounded number of characters is scanned, and a large body is not copied or split."""
    large = build(document, 2_000_000)
    scanned.clear()
    tracemalloc.start()
    try:
        create_error(large)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(scanned) <= MAX_SCANNED
    assert len(scanned) <= 2 * 4 * MAX_NODES
    # Less than the words of a string, or a redacted copy of a document, would need.
    assert peak < 4_500_000


def iterate_values(document: Any) -> Iterator[tuple[int, Any]]:
    """Yield the depth and value of all values of a document, and of its keys."""
    stack = [(0, document)]
    while stack:
        depth, value = stack.pop()
        yield depth, value
        if isinstance(value, dict):
            stack += [(depth + 1, inner) for pair in value.items() for inner in pair]
        elif isinstance(value, list):
            stack += [(depth + 1, inner) for inner in value]


@every_factory
@every_document
def test_the_size_of_an_error_is_bounded(
    document: Callable[[int], Any], create_error: Callable[[Any], XAILowCodeError | None]
) -> None:
    """Strings, nodes and depth of an error have an upper bound, and it can be printed."""
    error = create_error(build(document, 1_000_000))
    if error is None:
        return
    for text in (error.message, error.hint, error.code, error.request_id, error.field):
        assert len(text or "") <= MAX_MESSAGE + len(ELLIPSIS)
    nodes = list(iterate_values(error.body))
    assert max(depth for depth, _ in nodes) <= MAX_DEPTH
    # Each key is a node here too, and each list or dict may have a truncation marker.
    assert len(nodes) <= 4 * MAX_NODES
    strings = [value for _, value in nodes if isinstance(value, str) and value != TRUNCATED]
    assert max(map(len, strings), default=0) <= MAX_STRING + len(ELLIPSIS)
    assert sum(map(len, strings)) <= MAX_CHARACTERS + len(strings)
    assert repr(error) + repr(error.body) + json.dumps(error.body)
    assert TOKEN not in repr(vars(error))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=30,
)


@given(json_values)
def test_a_small_document_is_not_truncated(document: Any) -> None:
    """A document within the limits is redacted only."""
    assert bounded(document, TOKEN) == redact(document, TOKEN)


LARGE: dict[str, Any] = {
    **{name: create(100_000) for name, create in DOCUMENTS.items()},
    "strings that fit exactly": {"a": "x" * MAX_STRING, "b": "y" * (MAX_STRING - 2), "c": "z"},
    "nodes that fit exactly": [0] * (MAX_NODES - 1),
    "lists in lists": [[[0] * 40] * 40] * 40,
    "an escape at the end": {"a": "x" * (MAX_STRING - 1) + "é"},
}


@pytest.mark.parametrize("name", LARGE)
def test_truncation_is_idempotent(name: str) -> None:
    """Truncating a truncated document again changes nothing."""
    once = bounded(LARGE[name], TOKEN)
    assert bounded(once, TOKEN) == once


def test_truncated_values_are_marked() -> None:
    """A truncated string ends with an ellipsis, a truncated list or dict with a marker."""
    assert bounded("x" * (MAX_STRING + 1)) == "x" * MAX_STRING + ELLIPSIS
    assert bounded("x" * MAX_STRING) == "x" * MAX_STRING
    assert bounded([0] * MAX_NODES) == [0] * (MAX_NODES - 1) + [TRUNCATED]
    assert bounded([0] * (MAX_NODES - 1)) == [0] * (MAX_NODES - 1)
    wide = bounded({str(i): 0 for i in range(MAX_NODES + 5)})
    assert list(wide)[-1] == wide[TRUNCATED] == TRUNCATED
    assert len(wide) == MAX_NODES
    assert bounded(["x" * MAX_STRING] * 5) == ["x" * MAX_STRING] * 2 + [TRUNCATED]
    # Lists after the limit is reached are empty but for the marker.
    assert bounded([[1], [0] * MAX_NODES, [2]])[::2] == [[1], [TRUNCATED]]
    assert bounded([[0] * MAX_NODES, [1], []]) == [
        [0] * (MAX_NODES - 4) + [TRUNCATED],
        [TRUNCATED],
        [],
    ]
    assert excerpt(b"x" * 9, limit=4) == "xxxx…"
    # A character that is truncated is omitted.
    assert excerpt("é".encode() * 9, limit=5) == "éé…"
    assert excerpt(b"\xff", limit=5) == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize(
    "document",
    [
        {f"k{i}": "x" * 50 for i in range(5_000)} | {"error": {"message": "Told.", "code": "c"}},
        {"data": [[0] * 1_000] * 1_000, "error": {"message": "Told.", "code": "c"}},
        {"a": "x" * 10**6, "error": {"message": "Told.", "code": "c"}, "b": "x" * 10**6},
        {"a": nest_deeply(5_000), "error": {"message": "Told.", "code": "c"}},
    ],
    ids=["wide", "after a list", "between texts", "after a deep one"],
)
def test_the_message_is_found_anywhere_in_a_large_body(document: Any) -> None:
    """Message and code of an error are found at any position of a large body."""
    error = error_from_response(400, document, {}, TOKEN)
    assert error is not None
    assert (error.message, error.code) == ("Told.", "c")


def test_the_text_of_a_page_is_found_after_a_long_head() -> None:
    """The text of a page is found behind the part that the error keeps."""
    page = f"<html><head><style>{'a{}' * 10_000}</style></head><body><h1>502 Bad Gateway</h1>"
    error = error_from_response(502, page, {})
    assert error is not None
    assert error.message == "502 Bad Gateway"
    assert len(error.body) == MAX_STRING + 1


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda token: quote(token, safe=""),
    "percent-encoded except slashes": quote,
    "percent-encoded in lower case": lambda token: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(token, safe="")
    ),
    "percent-encoded twice": lambda token: quote(quote(token, safe=""), safe=""),
    "in HTML": escape,
    "in JSON": lambda token: json.dumps(token)[1:-1],
    "repr": lambda token: repr(token)[1:-1],
}
# By name: the limit, and a function that truncates a string. It redacts the token first, or
# truncates without knowing the token and redacts the result.
TRUNCATIONS: dict[str, tuple[int, Callable[[str, str], Any]]] = {
    "excerpt": (300, lambda text, token: excerpt(text, token, limit=300)),
    "excerpt of bytes": (300, lambda text, token: excerpt(text.encode(), token, limit=300)),
    "plain text": (500, to_plain_text),
    "not JSON": (500, lambda text, token: vars(unparsable_response_error(text, {}, token))),
    "error response": (500, lambda text, token: vars(create_error_from({"error": text}, token))),
    "error response as text": (500, lambda text, token: vars(create_error_from(text, token))),
    "body of an error response": (
        MAX_STRING,
        lambda text, token: vars(create_error_from([text], token)),
    ),
    "a page": (MAX_EXCERPT, lambda text, token: vars(create_error_from(create_page(text), token))),
    "a key": (MAX_STRING, lambda text, token: bounded({text: 1}, token)),
    "message, redacted later": (
        MAX_MESSAGE,
        lambda text, token: vars(XAILowCodeError(text).redact_token(token)),
    ),
    "body, redacted later": (
        MAX_STRING,
        lambda text, token: vars(XAILowCodeError("", body=[{text: text}]).redact_token(token)),
    ),
    "text, redacted later": (500, lambda text, token: excerpt(f"({to_plain_text(text)})", token)),
    "failed response, redacted later": (
        500,
        lambda text, token: vars(error_from_field({"output": []}, text).redact_token(token)),
    ),
    "repr, redacted later": (500, lambda text, token: excerpt(describe_value(text), token)),
}


def create_error_from(document: Any, token: str) -> APIStatusError:
    error = error_from_response(400, document, {}, token)
    assert error is not None
    return error


def create_page(text: str) -> str:
    """Return a page of the same length, whose text is the string without leading dashes."""
    begin, end = "<html><body ", "> "
    filler = len(text) - len(text.lstrip("-"))
    return begin + "-" * (filler - len(begin) - len(end)) + end + text[filler:]


def find_prefixes(output: str, spelling: str) -> list[str]:
    """Return the prefixes of the token, longer than 3 characters, before an ellipsis."""
    before = output.split(ELLIPSIS)[:-1]
    return [
        spelled[:length]
        # The output may be the repr of a document, which doubles backslashes.
        for spelled in {spelling, spelling.replace("\\", "\\\\")}
        for text in before
        for length in range(4, len(spelled) + 1)
        if text.endswith(spelled[:length])
    ]


def spelled(tokens: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield each token with its different spellings, and a name of each spelling."""
    for token in tokens:
        names = {spell(token): name for name, spell in SPELLINGS.items()}
        yield from product([token], names.items())


@pytest.mark.parametrize("name", TRUNCATIONS)
def test_truncation_leaves_no_part_of_the_token(name: str) -> None:
    """A string truncated at any character of a token, in any spelling, contains no part of it."""
    limit, truncate = TRUNCATIONS[name]
    for token, (spelling, spelling_name) in spelled([TOKEN, ODD_TOKEN, "short-1"]):
        truncated = 0
        for offset in range(-3, len(spelling) + 3):
            text = "-" * (limit - offset) + spelling + " and so on" * 60
            output = str(truncate(text, token))
            assert spelling not in output, (token, spelling_name, offset)
            assert not find_prefixes(output, spelling), (token, spelling_name, offset)
            truncated += ELLIPSIS in output
        assert truncated, (token, spelling_name)


@pytest.mark.parametrize("name", TRUNCATIONS)
@pytest.mark.parametrize(
    "secret", [TOKEN, "xai-abcdefghijklmnopqrstuvwxyz", "api_token=abcdefghi", "Bearer abcdefghi"]
)
def test_truncation_leaves_no_part_of_an_unknown_token(secret: str, name: str) -> None:
    """Strings in the format of a token are redacted too if the token is not known."""
    limit, truncate = TRUNCATIONS[name]
    begin = re.match(r"api_token=|Bearer |at_|xai-", secret)
    assert begin is not None
    for offset in range(-3, len(secret) + 3):
        text = "-" * (limit - offset - 1) + " " + secret + " and so on" * 60
        output = str(truncate(text, "canary-of-somebody-else"))
        for length in range(len(begin[0]) + 1, len(secret) + 1):
            assert secret[:length] not in output


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=6, max_size=40),
    st.sampled_from(list(SPELLINGS)),
    st.integers(0, 60),
)
def test_truncation_leaves_no_part_of_random_tokens(token: str, spelling: str, offset: int) -> None:
    """A string truncated inside any token contains no prefix of it."""
    spelled = SPELLINGS[spelling](token)
    output = excerpt("é" * 60 + spelled + "é" * 60, token, limit=60 + offset)
    assert not find_prefixes(output, spelled)


@pytest.mark.parametrize(
    "text",
    [
        "Incorrect API key provided: xai-0…0.",
        "a key of xAI (xai-…)",
        "it begins with at_…",
        "at_0…0",
    ],
)
def test_masked_keys_are_unchanged(text: str) -> None:
    """A key that is masked with an ellipsis, and a prefix alone, are not redacted."""
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
def test_the_message_of_a_redirect_has_its_location(location: str) -> None:
    """The message is short, has a hint, and has the location without the token."""
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
def test_without_a_redirect_the_message_is_the_body(headers: dict[str, str]) -> None:
    """Without a location, or with another status, the message is that of the body."""
    error = error_from_response(304, "Not modified", headers)
    assert error is not None
    assert error.message == "Not modified"
    rejected = error_from_response(400, "Bad", {"location": "/x"})
    assert rejected is not None
    assert rejected.message == "Bad"
