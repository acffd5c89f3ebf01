"""Law: what holds a token, anywhere and in any spelling, holds none afterwards; the rest stays."""

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.fake_server import TOKEN
from xai_lowcode.redaction import REDACTED, redact, redact_text

tokens = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=6, max_size=40
).filter(lambda token: token not in REDACTED)
around = st.text(max_size=20)
# What makes one of the known forms begin before the token, and may end inside it.
openings = st.sampled_from(
    [
        *("", "api_token=", "API_TOKEN%3d", "api_token=x&y", "%3Fapi_token%3D", "Bearer "),
        *("bearer  x", "at_", "at_12345", "at_123456", "xai-", "xai-123456", "xai-lowcode"),
        *("%", "\\", "…", "at_…"),
    ]
)
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "quoted": lambda token: quote(token, safe=""),
    "quoted but for slashes": quote,
    "quoted in small letters": lambda token: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(token, safe="")
    ),
    "quoted twice": lambda token: quote(quote(token, safe=""), safe=""),
    "in HTML": html.escape,
    "in JSON": lambda token: json.dumps(token)[1:-1],
    "in JSON with slashes": lambda token: json.dumps(token)[1:-1].replace("/", "\\/"),
    "by repr": lambda token: repr(token)[1:-1],
}


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@given(before=around | openings, after=around, token=tokens)
def test_the_token_in_use_goes_wherever_it_stands(
    spell: Callable[[str], str], before: str, after: str, token: str
) -> None:
    """Of the token in use nothing is left, however it is quoted and whatever stands around."""
    spelling = spell(token)
    assert spelling not in redact_text(f"{before}{spelling}{after}", token)
    # Nor its end, where another form begins before it and would end inside it.
    left = redact_text(f"{before}{spelling}", token).removesuffix(REDACTED)
    assert not left.endswith(spelling[-4:])


@pytest.mark.parametrize(
    "text",
    [
        f"{TOKEN}",
        f"GET /xai/v1/models?api_token={TOKEN}&limit=3",
        f"api_token%3D{TOKEN}",
        f"API_TOKEN={TOKEN}",
        f"'{TOKEN}'",
        f'{{"api_token":"{TOKEN}"}}',
        f"Bearer {TOKEN}",
        "authorization: bearer xai-abcdefghijklmnop",
        "key xai-abcdefghijklmnop.",
        f"%3Fapi_token%3D{TOKEN}%26a%3Db",
        f"%253Fapi_token%253D{TOKEN}%2526a",
        f"next%3D{TOKEN}",
        "next%3Dxai-abcdefghijklmnop",
    ],
)
def test_what_looks_like_a_token_goes_without_being_known(text: str) -> None:
    """Tokens and keys of the known forms go even where nobody says which token is in use."""
    left = redact_text(text)
    assert TOKEN not in left
    assert "abcdefghijklmnop" not in left


@given(st.text(st.sampled_from("abc de.,:/?&={}[]\"'\n"), max_size=60))
def test_other_texts_stay(text: str) -> None:
    """A text without a token stays as it is."""
    assert redact_text(text, TOKEN) == text


def documents(leaf: str) -> st.SearchStrategy[Any]:
    """JSON documents with the leaf in keys and values, at any depth."""
    texts = st.sampled_from([leaf, f"a {leaf} b", "plain"])
    return st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=12,
    )


@given(documents(TOKEN))
def test_no_place_of_a_document_keeps_the_token(document: Any) -> None:
    """Neither keys nor values, at any depth, keep it; the document is copied, not changed."""
    before = json.dumps(document)
    assert TOKEN not in json.dumps(redact(document))
    assert json.dumps(document) == before


@given(documents("harmless"))
def test_other_documents_stay(document: Any) -> None:
    """A document without a token is equal to its redacted copy."""
    assert redact(document, TOKEN) == document


@pytest.mark.parametrize(
    "member", ["api_token", "Authorization", "cookie", "Set-Cookie", "logging"]
)
@pytest.mark.parametrize("value", ["short", 5, None, {"a": ["b"]}, ["b"]])
def test_secret_members_are_blank_whatever_they_hold(member: str, value: Any) -> None:
    """Members that hold credentials, or echo the request, are blanked with all that is below."""
    assert redact({"a": {member: value}}) == {"a": {member: REDACTED}}


def test_a_document_of_any_depth_can_be_redacted() -> None:
    """As deep as JSON can be read, a document can be redacted."""
    document: Any = TOKEN
    for _ in range(1_000):
        document = {"a": [document]}
    assert TOKEN not in str_of(redact(document))


def str_of(document: Any) -> str:
    """The leaf of a very deep document, without recursion."""
    while isinstance(document, dict | list):
        document = document["a"] if isinstance(document, dict) else document[0]
    return str(document)


@pytest.mark.parametrize(
    "text",
    [
        "pip install 'xai-lowcode[emulator]'",
        "set LOWCODEAPI_API_TOKEN to your token",
        "export LOWCODEAPI_API_TOKEN=...",
    ],
)
def test_our_own_names_are_no_secrets(text: str) -> None:
    """The names of the package and of its variable stay readable in hints."""
    assert redact_text(text) == text
