"""Law: what cannot work is refused before a connection exists, and the token is in no print."""

import copy
import pickle
from typing import Any

import httpx
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.core.loopback import TOKEN
from xai_lowcode.client import Client
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    DEFAULT_TIMEOUT,
    TOKEN_VARIABLE,
    Settings,
    check_base_url,
    check_token,
)

GOOD_URLS = [
    DEFAULT_BASE_URL,
    "https://host/xai",
    "https://host:8443/a/b",
    "http://127.0.0.1:8000/xai",
    "http://localhost/xai",
    "http://[::1]:9/xai",
    "HTTPS://HOST/xai",
    "http://127.1.2.3",
]
BAD_URLS = [
    "api.lowcodeapi.com/xai",
    "ftp://host/xai",
    "https://",
    "https:///xai",
    "//host/xai",
    "https://host/xai?a=b",
    "https://host/xai#a",
    "https://host/xai?",
    "https://host/xai#",
    "https://u:p@host/xai",
    "https://u@host/xai",
    "https://host:99999/xai",
    "https://host:port/xai",
    "https://[::1/xai",
    " https://host/xai",
    "https://host/xai\n",
    "https://ho st/xai",
    "https://host/x ai",
    "https://host\\xai",
    "file:///etc/passwd",
    "https://host/\x00",
    "xai",
    "javascript:alert(1)",
    "https://ho\u2028st/xai",
]
FOREIGN = [
    "http://api.lowcodeapi.com/xai",
    "http://10.0.0.1/xai",
    "http://127.0.0.1.evil.com/xai",
    "http://localhost.evil.com",
    "http://[::2]/xai",
    "http://0.0.0.0/xai",
]
BAD_TOKENS = [
    "",
    " ",
    f" {TOKEN}",
    f"{TOKEN}\n",
    f"{TOKEN} ",
    "at_a b",
    "at_a\tb",
    "at_a\x00b",
    "at_a\x7fb",
    "at_a\x85b",
    "at_a\u00a0b",
    "at_a\u2028b",
    "xai-0123456789abcdef",
    "at_\r\nHost: evil",
]


@pytest.mark.parametrize("token", BAD_TOKENS, ids=repr)
@pytest.mark.parametrize("secret", [False, True])
def test_what_cannot_be_a_token_is_refused(token: str, secret: bool) -> None:
    """White space, control characters, nothing, a key of xAI: refused with a hint, unquoted."""
    with pytest.raises(UsageError) as refusal:
        Settings.create(api_token=SecretStr(token) if secret else token)
    assert refusal.value.field == "api_token"
    assert refusal.value.hint
    if len(token) > 8:
        assert token.strip()[:8] not in str(refusal.value)


@given(st.text(max_size=30))
def test_any_other_text_is_taken_for_a_token(text: str) -> None:
    """A text without spaces is taken as it is, whatever it begins with."""
    try:
        secret = check_token(text)
    except UsageError as refusal:
        assert refusal.field == "api_token"  # noqa: PT017 - both ends are lawful
    else:
        assert secret.get_secret_value() == text
        assert repr(secret) == repr(SecretStr("another"))
        assert text.split() == [text]


@pytest.mark.parametrize("url", GOOD_URLS)
@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_good_addresses_lose_their_last_slash_only(url: str, slashes: str) -> None:
    """An http(s) address is kept; plain http is for this machine alone."""
    assert check_base_url(url + slashes) == url


@pytest.mark.parametrize("url", BAD_URLS, ids=repr)
@pytest.mark.parametrize("insecure", [False, True])
def test_bad_addresses_are_refused(url: str, insecure: bool) -> None:
    """What is no plain http(s) address, or holds credentials or a query, is refused."""
    with pytest.raises(UsageError) as refusal:
        Settings.create(api_token=TOKEN, base_url=url, allow_insecure_http=insecure)
    assert refusal.value.field == "base_url"


@pytest.mark.parametrize("url", FOREIGN)
def test_plain_http_to_other_machines_needs_a_word(url: str) -> None:
    """The token goes unencrypted to another machine only where the user says so."""
    with pytest.raises(UsageError, match="base_url"):
        check_base_url(url)
    assert check_base_url(url, allow_insecure_http=True) == url


@given(
    st.text(max_size=30)
    | st.builds(
        "{}{}{}".format,
        st.sampled_from(["https://", "http://", "https://host", ""]),
        st.text(st.characters(codec="utf-8"), max_size=12),
        st.sampled_from(["", "/xai", ":1", "@h"]),
    )
)
def test_an_address_that_is_accepted_can_be_used(url: str) -> None:
    """Any text is refused with a UsageError, or a client can be made with it."""
    try:
        settings = Settings.create(api_token=TOKEN, base_url=url, allow_insecure_http=True)
    except UsageError:
        return
    Client(settings)
    assert httpx.URL(settings.base_url).host or not url


def test_arguments_come_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments, then the environment, then the default."""
    with pytest.raises(UsageError, match=TOKEN_VARIABLE):
        Settings.create()
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert Settings.create().api_token.get_secret_value() == TOKEN
    assert Settings.create().base_url == DEFAULT_BASE_URL
    monkeypatch.setenv(BASE_URL_VARIABLE, "https://env/xai/")
    assert Settings.create().base_url == "https://env/xai"
    own = Settings.create(api_token="at_own", base_url="https://own/xai")
    assert (own.api_token.get_secret_value(), own.base_url) == ("at_own", "https://own/xai")
    monkeypatch.setenv(TOKEN_VARIABLE, "at_with space")
    with pytest.raises(UsageError, match="white space"):
        Settings.create()


def test_the_token_is_in_no_print() -> None:
    """Neither repr nor str nor dumps nor JSON show it; pickles and copies work with it."""
    settings = Settings.create(api_token=TOKEN, timeout=(1.0, 2.0, 3.0, 4.0), deadline=5.0)
    shown: list[Any] = [repr(settings), str(settings), settings.model_dump(), vars(settings)]
    shown += [settings.model_dump_json(), settings.model_dump(mode="json"), list(settings)]
    assert all(TOKEN not in f"{text} {text!r}" for text in shown)
    assert "api_token" not in settings.model_dump()
    for travelled in (
        pickle.loads(pickle.dumps(settings)),  # noqa: S301 - just written
        copy.deepcopy(settings),
        copy.copy(settings),
    ):
        assert travelled == settings
        assert travelled.api_token.get_secret_value() == TOKEN
        assert TOKEN not in repr(travelled)


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": -1},
        {"deadline": 0},
        {"deadline": float("nan")},
        {"url_format": "x"},
        {"max_retries": TOKEN},
        {"base_url": 5},
    ],
)
def test_impossible_values_are_refused_without_showing_the_token(options: dict[str, Any]) -> None:
    """An impossible value is refused, and the refusal does not repeat what was given."""
    with pytest.raises((pydantic.ValidationError, UsageError)) as refusal:
        Settings.create(**{"api_token": TOKEN, **options})
    assert TOKEN not in f"{refusal.value} {refusal.value!r}"


def test_settings_do_not_change() -> None:
    """What was checked once stays."""
    settings = Settings.create(api_token=TOKEN)
    with pytest.raises(pydantic.ValidationError):
        settings.base_url = "http://evil"


@pytest.mark.parametrize(
    ("given_timeout", "read"),
    [(None, DEFAULT_TIMEOUT.read), (5, 5), (0.5, 0.5), ((1, 2, 3, 4), 2), (httpx.Timeout(7), 7)],
)
def test_timeouts_in_every_form(given_timeout: Any, read: float) -> None:
    """A number, a tuple of four or httpx's own are all taken."""
    settings = Settings.create(api_token=TOKEN, timeout=given_timeout)
    assert settings.httpx_timeout.read == read
    assert pickle.loads(pickle.dumps(settings)).httpx_timeout == settings.httpx_timeout  # noqa: S301 - just written
