"""Redaction removes tokens at any position and in any spelling, and changes nothing else."""

import html
import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import for_each
from tests.core.fake_server import TOKEN
from xai_lowcode.redaction import REDACTED, redact, redact_text

tokens = st.text(
    st.characters(codec="ascii", exclude_categories=["Cc", "Zs"]), min_size=6, max_size=40
).filter(lambda token: token not in REDACTED)
other_text = st.text(max_size=20)
# Beginnings of token formats, whose pattern may match text before the token and a part of it.
prefixes = st.sampled_from(
    [
        *("", "api_token=", "API_TOKEN%3d", "api_token=x&y", "%3Fapi_token%3D", "Bearer "),
        *("bearer  x", "at_", "at_12345", "at_123456", "xai-", "xai-123456", "xai-lowcode"),
        *("%", "\\", "…", "at_…"),
    ]
)
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent-encoded": lambda token: quote(token, safe=""),
    "percent-encoded except slashes": quote,
    "percent-encoded in lower case": lambda token: re.sub(
        "%..", lambda escape: escape[0].lower(), quote(token, safe="")
    ),
    "percent-encoded twice": lambda token: quote(quote(token, safe=""), safe=""),
    "in HTML": html.escape,
    "in JSON": lambda token: json.dumps(token)[1:-1],
    "in JSON with slashes": lambda token: json.dumps(token)[1:-1].replace("/", "\\/"),
    "repr": lambda token: repr(token)[1:-1],
    # Some proxies escape every character that is not alphanumeric.
    **{
        name: partial(re.sub, "[^A-Za-z0-9]", escape)
        for name, escape in {
            "all percent-encoded": lambda match: f"%{ord(match[0]):02X}",
            "all percent-encoded twice": lambda match: f"%25{ord(match[0]):02x}",
            "all in HTML": lambda match: f"&#{ord(match[0])};",
            "all in HTML with three digits": lambda match: f"&#{ord(match[0]):03};",
            "all in hexadecimal HTML": lambda match: f"&#x{ord(match[0]):X};",
            "all in JSON": lambda match: f"\\u{ord(match[0]):04x}",
        }.items()
    },
}


@given(before=other_text | prefixes, after=other_text, token=tokens)
@for_each("get_spelling", SPELLINGS)
def test_a_known_token_is_redacted_anywhere(
    get_spelling: Callable[[str], str], before: str, after: str, token: str
) -> None:
    """A known token is redacted completely, in any spelling and between any other text."""
    spelling = get_spelling(token)
    assert spelling not in redact_text(f"{before}{spelling}{after}", token)
    # Its end is redacted too if another pattern matches its beginning.
    redacted = redact_text(f"{before}{spelling}", token).removesuffix(REDACTED)
    assert not redacted.endswith(spelling[-4:])


@for_each(
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
        f"&#47;models&#63;api&#95;token&#61;{TOKEN.replace('_', '&#95;')}&#38;limit&#61;3",
        f"models?api%5Ftoken={TOKEN.replace('_', '%5F')}",
        f"it was {TOKEN.replace('_', '&#x5f;')}.",
        f"it was {TOKEN.replace('_', '%255f')}.",
    ],
)
def test_strings_in_token_format_are_redacted(text: str) -> None:
    """Strings in the format of a token or key are redacted if the token is not known."""
    redacted = redact_text(text)
    assert TOKEN.rpartition("_")[2] not in redacted
    assert "abcdefghijklmnop" not in redacted


@given(st.text(st.sampled_from("abc de.,:/?&={}[]\"'\n"), max_size=60))
def test_other_text_is_unchanged(text: str) -> None:
    """Text without a token is unchanged."""
    assert redact_text(text, TOKEN) == text


def documents(leaf: str) -> st.SearchStrategy[Any]:
    """Return a strategy of JSON documents with the leaf in keys and values, at any depth."""
    texts = st.sampled_from([leaf, f"a {leaf} b", "plain"])
    return st.recursive(
        st.none() | st.integers() | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=12,
    )


@given(documents(TOKEN))
def test_documents_are_redacted_at_any_depth(document: Any) -> None:
    """The token is redacted in keys and values at any depth, in a copy of the document."""
    original = json.dumps(document)
    assert TOKEN not in json.dumps(redact(document))
    assert json.dumps(document) == original


@given(documents("harmless"))
def test_other_documents_are_unchanged(document: Any) -> None:
    """A document without a token is equal to its redacted copy."""
    assert redact(document, TOKEN) == document


@for_each("key", ["api_token", "Authorization", "cookie", "Set-Cookie", "logging"])
@for_each("value", ["short", 5, None, {"a": ["b"]}, ["b"]])
def test_values_of_secret_keys_are_redacted(key: str, value: Any) -> None:
    """The values of keys for credentials, and of those that repeat the request, are redacted."""
    assert redact({"a": {key: value}}) == {"a": {key: REDACTED}}


def test_a_deep_document_can_be_redacted() -> None:
    """A document of the maximum depth of JSON can be redacted."""
    document: Any = TOKEN
    for _ in range(1_000):
        document = {"a": [document]}
    assert TOKEN not in get_leaf(redact(document))


def get_leaf(document: Any) -> str:
    """Return the leaf of a deep document without recursion."""
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
def test_names_of_the_package_are_not_redacted(text: str) -> None:
    """The names of the package and of its environment variable are not redacted."""
    assert redact_text(text) == text
