"""Law: what cannot work is refused before a connection exists, and the token is in no print."""

import copy
import pickle
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from langchain_xai_lowcode import ChatXAILowCode
from llama_index_xai_lowcode import XAILowCode
from tests.cases import for_each
from tests.core import leaks
from tests.core.fake_server import TOKEN, FakeServer, json_reply
from xai_lowcode._internal.validation import (
    MAX_TIMEOUT,
    check_base_url,
    check_http_client,
    check_proxy,
    check_token,
)
from xai_lowcode.api.endpoints import LIST_MODELS
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import (
    BASE_URL_VARIABLE,
    DEFAULT_BASE_URL,
    DEFAULT_MAX_RESPONSE_BYTES,
    DEFAULT_TIMEOUT,
    TOKEN_VARIABLE,
    Settings,
)
from xai_lowcode.transport.sync_client import SyncAPIClient

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
    "https://ho st/xai",
    "https://host/x ai",
    "https://host\\xai",
    "file:///etc/passwd",
    "https://host/\x00",
    "xai",
    "javascript:alert(1)",
    "https://ho\u2028st/xai",
    # Hosts that some layer below would stumble over: httpx, the codec of getaddrinfo, TLS.
    "https://a..b/xai",
    "https://.a/xai",
    "https://a../xai",
    "https://./xai",
    "https://" + "a" * 64 + ".com/xai",
    "https://" + "a." * 127 + "com/xai",
    "https://xn--/xai",
    "https://xn--a/xai",
    "https://" + "\u00e4" * 60 + ".de/xai",
    "https://\u2603.com/xai",
    "https://\u200d/xai",
    "https://a\u00ad/xai",
    "https://\ud800/xai",
    "https://\uff41.com/xai",
    "https://\u0660.1.1.1/xai",
    "https://*.a/xai",
    "https://a,b/xai",
    "https://a b/xai",
    "https://ho%73t/xai",
    "https://%/xai",
    "https://999.1.1.1/xai",
    "https://[]/xai",
    "https://[1.2.3.4]/xai",
    "https://[::1%25]x/xai",
    "https://[:::]/xai",
    "https://[v1.a]/xai",
    "https://host:0/xai",
    "https://host:-1/xai",
    "https://host:+1/xai",
    "https://host:8_0/xai",
    "https://host:\uff18\uff10/xai",
    "https://host/\ud800",
    "https://@host/xai",
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


@for_each("url", BAD_URLS)
@pytest.mark.parametrize("insecure", [False, True])
def test_bad_addresses_are_refused(url: str, insecure: bool) -> None:
    """What is no plain http(s) address, or holds credentials or a query, is refused."""
    with pytest.raises(UsageError) as refusal:
        Settings.create(api_token=TOKEN, base_url=url, allow_insecure_http=insecure)
    assert refusal.value.field == "base_url"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (" https://host/xai", "https://host/xai"),
        ("https://host/xai\n", "https://host/xai"),
        ("\thttps://host/xai/ ", "https://host/xai"),
        ("https://host/xai/v1", "https://host/xai"),
        ("https://host/xai/v1/ ", "https://host/xai"),
        ("https://host/XAI/V1", "https://host/XAI"),
        ("https://host/v1", "https://host/v1"),
        ("https://api.lowcodeapi.com/xai/v1/", "https://api.lowcodeapi.com/xai"),
    ],
)
def test_addresses_that_are_nearly_right_are_understood(given: str, used: str) -> None:
    """Stray spaces and the version of xAI's own base URL are removed."""
    assert check_base_url(given) == used
    assert Settings.create(api_token=TOKEN, base_url=given).base_url == used


@pytest.mark.parametrize("path", ["", "/", "/v1", "/openai", "/xai/v1/models", "/xaiv1"])
def test_the_hosted_gateway_needs_its_path(path: str) -> None:
    """Without ``/xai`` no endpoint would be found; that is said before anything is sent."""
    with pytest.raises(UsageError, match=r"https://api\.lowcodeapi\.com/xai") as refusal:
        Settings.create(api_token=TOKEN, base_url=f"https://api.lowcodeapi.com{path}")
    assert refusal.value.field == "base_url"


PROVIDERS = [
    "https://api.x.ai/v1",
    "https://api.x.ai/xai",
    "https://API.X.AI:443/v1/",
    "https://api.x.ai./v1",
    "https://us-east-1.api.x.ai/v1",
    "https://x.ai",
    "https://api.openai.com/v1",
    "https://mine.openai.azure.com/openai",
    "https://api.anthropic.com",
    "https://generativelanguage.googleapis.com/v1beta/openai/",
    "https://openrouter.ai/api/v1",
]
NO_PROVIDERS = [
    "https://notx.ai/xai",
    "https://x.ai.example/xai",
    "https://api-x.ai/xai",
    "https://gateway.example/api.x.ai/v1",
    "https://openai.com.example/xai",
    "https://ai/xai",
]


@pytest.mark.parametrize("url", PROVIDERS)
def test_the_api_of_a_provider_is_no_gateway(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every way: it would receive the token of the gateway; the message says what to do."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", TOKEN)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", url)
    ways: list[Callable[[], Any]] = [
        Settings.create,
        ChatXAILowCode,
        XAILowCode,
        lambda: Settings.create(base_url=url, allow_insecure_http=True),
        lambda: Settings(api_token=SecretStr(TOKEN), base_url=url),
        lambda: SyncAPIClient(base_url=url),
        lambda: ChatXAILowCode(base_url=url),
        lambda: XAILowCode(api_base=url),
    ]
    for way in ways:
        with pytest.raises(UsageError, match=r"leave base_url out") as refusal:
            way()
        assert refusal.value.field == "base_url"
        assert "https://api.lowcodeapi.com/xai" in str(refusal.value)


@pytest.mark.parametrize("url", NO_PROVIDERS)
def test_hosts_that_look_like_a_provider_are_accepted(url: str) -> None:
    """Only whole labels of the host count."""
    assert Settings.create(api_token=TOKEN, base_url=url).base_url


def test_the_url_format_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``LOWCODEAPI_URL_FORMAT`` is used without an argument; a wrong value is named."""
    assert Settings.create(api_token=TOKEN).url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "old")
    assert Settings.create(api_token=TOKEN).url_format == "old"
    assert Settings.create(api_token=TOKEN, url_format="auto").url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "")
    assert Settings.create(api_token=TOKEN).url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "older")
    with pytest.raises(UsageError, match="url_format: must be 'auto', 'new' or 'old', not 'older'"):
        Settings.create(api_token=TOKEN)


@pytest.mark.parametrize("url", FOREIGN)
def test_plain_http_to_other_machines_needs_a_word(url: str) -> None:
    """The token goes unencrypted to another machine only where the user says so."""
    with pytest.raises(UsageError, match="base_url"):
        check_base_url(url)
    assert check_base_url(url, allow_insecure_http=True) == url


ODD_HOSTS = st.lists(
    st.sampled_from(
        [
            *'aZ0.-_~%:[]@!&,;|^`\\"<',
            *("xn--", "a" * 63, "::1", "127.0.0.1", "0x7f", "%25", ":80", ":0"),
            *(
                "\u00df",
                "\u0130",
                "\u3002",
                "\u2603",
                "\u200d",
                "\u0301",
                "\ud800",
                "\x00",
                "\u0663",
            ),
        ]
    ),
    max_size=5,
).map("".join)


@given(
    st.text(max_size=30)
    | ODD_HOSTS.map("https://{}/xai".format)
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
    SyncAPIClient(settings)
    used = httpx.URL(settings.base_url)
    assert used.host
    assert httpx.Request("POST", used).headers["host"]
    host = used.raw_host.decode()
    with suppress(socket.gaierror):
        # Written in numbers or not, nothing is looked up; what cannot be encoded raises.
        socket.getaddrinfo(host, used.port or 443, flags=socket.AI_NUMERICHOST)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname=host)


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


BAD_SECONDS: list[Any] = [
    *("soon", "5", "", b"5", True, False, 0, 0.0, -1, -0.5),
    *(float("nan"), float("inf"), -float("inf"), 1e20, 10**400, -(10**5000), MAX_TIMEOUT + 1),
    *(timedelta(seconds=5), Decimal(5), 1j, [], {}, object(), int, TOKEN),
    Fraction(1, 10**400),
]
GOOD_SECONDS: list[Any] = [1, 0.5, 1e-320, MAX_TIMEOUT, Fraction(1, 2)]


class Phases:
    """An object like httpx2's Timeout."""

    def __init__(self, phases: Any) -> None:
        self.phases = phases

    def as_dict(self) -> Any:
        if isinstance(self.phases, Exception):
            raise self.phases
        return self.phases


def phases_of(*seconds: Any) -> dict[str, Any]:
    return dict(zip(("connect", "read", "write", "pool"), seconds, strict=True))


BAD_TIMEOUTS: list[Any] = [
    *BAD_SECONDS,
    *[(1, wrong, 1, 1) for wrong in BAD_SECONDS],
    *[httpx.Timeout(5, pool=wrong) for wrong in BAD_SECONDS],
    *((5,), (1, 2), (1, 2, 3), (1, 2, 3, 4, 5), (), [5], {"read": 1}, {1, 2, 3, 4}, "1234"),
    *(httpx.Timeout, phases_of, Phases({}), Phases(None), Phases({"read": 1})),
    *(Phases(phases_of(1, 2, 3, -1)), Phases(ValueError(TOKEN)), Phases([1, 2, 3, 4])),
]
SETTINGS: dict[str, list[Any]] = {
    "timeout": BAD_TIMEOUTS,
    "deadline": BAD_SECONDS,
    "max_retries": [True, False, -1, -(10**5000), 1.0, 2.5, "2", "", float("nan"), [], TOKEN],
    "max_response_bytes": [True, 0, -1, 1.0, 1e9, "5", float("inf"), {}, TOKEN],
    "max_concurrency": [True, 0, -1, 1.5, "2"],
    "base_url": [5, b"https://host/xai", [5], object(), *BAD_URLS],
    "backend_url": [5, b"https://host/xai", "", *BAD_URLS],
    "verify": ["", "/no/such/file", "\0", 1, 0, 5.5, [], object(), ssl, "/dev/null", TOKEN],
    "proxy": [5, b"http://host", [], object(), httpx.Proxy("http://host"), TOKEN],
}


@pytest.mark.parametrize("name", SETTINGS)
def test_impossible_values_are_refused_by_name(name: str) -> None:
    """Each invalid value raises a UsageError with the field and without the token."""
    for value in SETTINGS[name]:
        with pytest.raises(UsageError) as raised:
            pytest.fail(f"accepted: {Settings.create(**{'api_token': TOKEN, name: value})!r}")
        error = raised.value
        assert error.field == name, type(value)
        assert str(error).startswith(f"{name}: "), type(value)
        assert TOKEN not in f"{error} {error!r} {error.__context__}", type(value)


@pytest.mark.parametrize("value", ["x", 5, None], ids=repr)
def test_an_impossible_url_format_does_not_show_the_token(value: Any) -> None:
    """The error does not repeat the other settings."""
    with pytest.raises(UsageError, match="url_format") as refusal:
        Settings(api_token=SecretStr(TOKEN), url_format=value)
    assert TOKEN not in f"{refusal.value} {refusal.value!r}"


@pytest.mark.parametrize("name", ["access_token", "headers", "extra_headers", "apiKey"])
def test_a_token_under_a_wrong_name_is_refused(name: str) -> None:
    """It is not among pydantic's errors either, which hold what was given."""
    with pytest.raises(UsageError) as refusal:
        Settings.create(api_token=TOKEN, **{name: f"{TOKEN}0"})
    assert refusal.value.field == name
    assert f"{TOKEN}0" not in leaks.render_exception(refusal.value, skip=(__file__, leaks.__file__))


def test_settings_do_not_change() -> None:
    """What was checked once stays."""
    settings = Settings.create(api_token=TOKEN)
    with pytest.raises(pydantic.ValidationError):
        settings.base_url = "http://evil"


# --- timeouts -----------------------------------------------------------------------------------

TIMEOUTS: list[tuple[Any, tuple[Any, ...]]] = [
    (None, tuple(DEFAULT_TIMEOUT.as_dict().values())),
    *[(seconds, (float(seconds),) * 4) for seconds in GOOD_SECONDS],
    ((1, 2, 3, 4), (1, 2, 3, 4)),
    ([1, 2.5, None, 4], (1, 2.5, None, 4)),
    ((None, None, None, None), (None,) * 4),
    (httpx.Timeout(7), (7,) * 4),
    (httpx.Timeout(None, connect=1), (1, None, None, None)),
    (Phases(phases_of(1, None, 3, 4)), (1, None, 3, 4)),
]


@pytest.mark.parametrize(("given_timeout", "phases"), TIMEOUTS, ids=lambda one: repr(one)[:40])
def test_timeouts_in_every_form(given_timeout: Any, phases: tuple[Any, ...]) -> None:
    """A number, four of them, httpx's own and what is like it are all taken, and kept as one."""
    settings = Settings.create(api_token=TOKEN, timeout=given_timeout)
    assert tuple(settings.httpx_timeout.as_dict().values()) == phases
    assert settings.httpx_timeout is settings.httpx_timeout
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - just written
    assert settings.model_dump()["timeout"] == (given_timeout and phases_of(*phases))


def test_timeouts_of_httpx2() -> None:
    """Those of the successor of httpx are taken as well."""
    httpx2 = pytest.importorskip("httpx2")
    settings = Settings.create(api_token=TOKEN, timeout=httpx2.Timeout(5, read=7))
    assert settings.httpx_timeout == httpx.Timeout(5, read=7)


@pytest.mark.parametrize("timeout", [MAX_TIMEOUT, (None,) * 4])
@pytest.mark.parametrize("deadline", [None, MAX_TIMEOUT])
def test_the_longest_timeouts_can_be_waited_for(
    gateway: FakeServer, timeout: Any, deadline: float | None
) -> None:
    """No socket and no lock finds them too long."""
    gateway.respond = lambda _request: json_reply({"data": []})
    settings = Settings.create(
        api_token=TOKEN, base_url=gateway.base_url, timeout=timeout, deadline=deadline
    )
    with SyncAPIClient(settings) as client:
        assert client.call(LIST_MODELS) == []


@pytest.mark.parametrize("seconds", [MAX_TIMEOUT, 1e-320])
def test_the_bounds_of_timeouts_are_those_of_the_system(seconds: float) -> None:
    """Sockets and locks take what is accepted; ``poll`` takes it in milliseconds as a C int."""
    with socket.socket() as waiting:
        waiting.settimeout(seconds)
        assert waiting.gettimeout()
    lock = threading.Lock()
    assert lock.acquire(timeout=seconds)
    assert seconds * 1000 < 2**31


# --- proxies ------------------------------------------------------------------------------------

PASSWORD = "canary-of-a-password"
GOOD_PROXIES = [
    "",
    "http://proxy.example",
    "http://proxy.example:3128/",
    "https://proxy.example:443",
    f"http://user:{PASSWORD}@127.0.0.1:3128",
    "http://user@[::1]:3128",
    "HTTP://PROXY:1",
    "http://user:p%40ss%2Fword@proxy.example:3128",
    "socks5://proxy.example",
    f"socks5h://user:{PASSWORD}@proxy.example:1080",
]
BAD_PROXIES = [
    "proxy.example:3128",
    "proxy.example",
    "http:proxy.example",
    "ftp://proxy.example:21",
    "socks4://proxy.example",
    "socks://proxy.example",
    "://proxy.example",
    "http://",
    "http://:3128",
    f"http://user:{PASSWORD}@",
    f"http://user:{PASSWORD}@:3128",
    f"http://user:{PASSWORD}@a..b:3128",
    f"http://us@er:{PASSWORD}@proxy.example:3128",
    f"http://user:{PASSWORD}/@proxy.example:3128",
    f"http://user:{PASSWORD}#@proxy.example:3128",
    f"http://user:{PASSWORD}?@proxy.example:3128",
    f"http://user:{PASSWORD}@proxy.example:0",
    f"http://user:{PASSWORD}@proxy.example:65536",
    f"http://user:{PASSWORD}@proxy.example:port",
    f"http://user:{PASSWORD}@proxy.example/path",
    f"http://user:{PASSWORD}@proxy.example?a=b",
    f"http://user:{PASSWORD}@proxy.example#a",
    f"http://user:{PASSWORD}@proxy.example\n",
    f" http://user:{PASSWORD}@proxy.example",
    f"http://user:{PASSWORD} @proxy.example",
    f"http://user:{PASSWORD}@\u2603.example",
    f"http://user:{PASSWORD}@[::1",
    f"http://user:{PASSWORD}@\ud800",
]


@pytest.fixture
def _socks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Socksio is installed, as far as settings look."""
    monkeypatch.setattr("xai_lowcode._internal.validation.find_spec", lambda _name: object())


@pytest.mark.usefixtures("_socks")
@pytest.mark.parametrize("url", GOOD_PROXIES)
@pytest.mark.parametrize("secret", [False, True])
def test_the_url_of_a_proxy_is_kept_and_not_shown(url: str, *, secret: bool) -> None:
    """It is in no print and no dump, but in pickles and copies."""
    settings = Settings.create(api_token=TOKEN, proxy=SecretStr(url) if secret else url)
    assert settings.proxy is not None
    assert settings.proxy.get_secret_value() == url
    assert check_proxy(url) == settings.proxy
    shown = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert PASSWORD not in shown
    assert "proxy" not in settings.model_dump()
    for travelled in (
        pickle.loads(pickle.dumps(settings)),  # noqa: S301 - just written
        copy.deepcopy(settings),
    ):
        assert travelled == settings
        assert travelled.proxy == settings.proxy


@pytest.mark.usefixtures("_socks")
@for_each("url", BAD_PROXIES)
@pytest.mark.parametrize("secret", [False, True])
@pytest.mark.parametrize("field", ["proxy", "HTTPS_PROXY"])
def test_what_is_no_proxy_is_refused(url: str, field: str, *, secret: bool) -> None:
    """The setting or the variable is named; what was given is in no part of the error."""
    given_url = SecretStr(url) if secret else url
    with pytest.raises(UsageError) as refusal:
        check_proxy(given_url, field=field)
    assert refusal.value.field == field
    assert refusal.value.hint
    assert str(refusal.value).startswith(f"{field}: ")
    seen = leaks.render_exception(refusal.value, skip=(__file__, leaks.__file__))
    assert PASSWORD not in seen


def test_no_proxy_is_that_of_the_environment() -> None:
    """None is the default of every option."""
    assert check_proxy(None) is None
    assert Settings.create(api_token=TOKEN).proxy is None


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_its_package(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """What must be installed is said when the setting is given."""
    monkeypatch.setattr("xai_lowcode._internal.validation.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'httpx\[socks\]'") as refusal:
        Settings.create(api_token=TOKEN, proxy=f"{scheme}://host")
    assert refusal.value.field == "proxy"


def test_a_proxy_object_is_refused_with_a_hint() -> None:
    """Its URL is wanted; the object, which holds a password, is not shown."""
    with pytest.raises(UsageError, match="as a string") as refusal:
        check_proxy(httpx.Proxy(f"http://user:{PASSWORD}@host:1"))
    assert "http_client" in str(refusal.value.hint)
    assert PASSWORD not in leaks.render_exception(refusal.value, skip=(__file__, leaks.__file__))


# --- certificates -------------------------------------------------------------------------------


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A file with the certificate of an authority."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_certificates_are_named_by_a_path(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file or a folder, as a string or a path; it stays right in another folder."""
    monkeypatch.chdir(ca_file.parent)
    for given_path in (ca_file, str(ca_file), ca_file.parent, ca_file.name, "."):
        settings = Settings.create(api_token=TOKEN, verify=given_path)
        assert settings.verify == str((ca_file.parent / given_path).resolve())
        assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - just written
        assert settings.model_dump(mode="json")["verify"] == settings.verify
    assert Settings.create(api_token=TOKEN).verify is True
    assert Settings(api_token=SecretStr(TOKEN), verify=None).verify is True


@pytest.mark.parametrize(
    "content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\n", b"\0"]
)
def test_a_file_without_certificates_is_refused(tmp_path: Path, content: bytes) -> None:
    """Also when a good one was there before."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    Settings.create(api_token=TOKEN, verify=path)
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no certificate") as refusal:
        Settings.create(api_token=TOKEN, verify=path)
    assert refusal.value.field == "verify"
    path.unlink()
    with pytest.raises(UsageError, match="no file or directory"):
        Settings.create(api_token=TOKEN, verify=path)


def test_a_tls_context_is_shared_and_does_not_travel() -> None:
    """It is used as it is, by copies too; pickling says what to do, and dumps leave it out."""
    context = ssl.create_default_context()
    settings = Settings.create(api_token=TOKEN, verify=context)
    assert settings.verify is context
    assert copy.deepcopy(settings).verify is context
    assert copy.copy(settings).verify is context
    with pytest.raises(UsageError) as refusal:
        pickle.dumps(settings)
    assert str(refusal.value) == (
        "verify: an ssl.SSLContext cannot be pickled. Give the path of the CA file instead."
    )
    assert settings.model_dump()["verify"] is None
    assert settings.model_dump_json()


def test_no_verification_is_warned_of_once() -> None:
    """Once for each construction, and never for copies."""
    with pytest.warns(UserWarning, match="anyone on the network can read the token") as caught:
        settings = Settings.create(api_token=TOKEN, verify=False)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert copy.deepcopy(settings).verify is False
        assert pickle.loads(pickle.dumps(settings)).verify is False  # noqa: S301 - just written


# --- clients that are given ---------------------------------------------------------------------


class StandIn:
    """What can send, and is no client of httpx."""

    def build_request(self) -> None: ...

    def send(self) -> None: ...


class AsyncStandIn(StandIn):
    async def send(self) -> None: ...  # type: ignore[override] # as httpx's two clients


class SubClient(httpx.Client): ...


class Replaced(httpx.AsyncClient):
    """A client whose method was wrapped, by what instruments it, in a plain function."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        return super().send(*args, **kwargs)


SYNC: list[Callable[[], Any]] = [httpx.Client, SubClient, StandIn]
ASYNC: list[Callable[[], Any]] = [httpx.AsyncClient, Replaced, AsyncStandIn]
NO_CLIENTS: list[Any] = [
    *(httpx, httpx.Client, httpx.AsyncClient, "http://user:canary@proxy", 5, object(), {}),
    *(httpx.HTTPTransport, ssl, lambda: None),
]


def with_httpx2(makers: list[Callable[[], Any]], name: str) -> list[Callable[[], Any]]:
    try:
        import httpx2  # noqa: PLC0415 - may be missing
    except ImportError:
        return makers
    return [*makers, getattr(httpx2, name)]


@pytest.mark.parametrize("is_async", [False, True])
async def test_clients_are_known_by_what_they_can_do(*, is_async: bool) -> None:
    """Sync and async ones of httpx, httpx2 and others; the other kind is refused."""
    right, wrong = with_httpx2(SYNC, "Client"), with_httpx2(ASYNC, "AsyncClient")
    if is_async:
        right, wrong = wrong, right
    for make in right:
        client = make()
        assert check_http_client(client, field="http_client", is_async=is_async) is client
        await closed(client)
    for make in wrong:
        client = make()
        with pytest.raises(UsageError, match="sync client, an httpx") as refusal:
            check_http_client(client, field="http_client", is_async=is_async)
        assert refusal.value.field == "http_client"
        await closed(client)


async def closed(client: Any) -> None:
    if hasattr(client, "aclose"):
        await client.aclose()
    elif hasattr(client, "close"):
        client.close()


@pytest.mark.parametrize("thing", NO_CLIENTS, ids=lambda thing: ascii(type(thing).__name__))
@pytest.mark.parametrize("is_async", [False, True])
def test_what_is_no_client_is_refused(thing: Any, *, is_async: bool) -> None:
    """The argument is named, and what to give."""
    wanted = r"httpx\.AsyncClient" if is_async else r"httpx\.Client"
    with pytest.raises(UsageError, match=rf"^http_x: .*{wanted} is needed") as refusal:
        check_http_client(thing, field="http_x", is_async=is_async)
    assert refusal.value.field == "http_x"
    assert "canary" not in leaks.render_exception(refusal.value, skip=(__file__, leaks.__file__))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"proxy": SecretStr("http://proxy")}, "proxy"),
        ({"proxy": ""}, "proxy"),
        ({"verify": False}, "verify"),
        ({"verify": "/ca.pem"}, "verify"),
    ],
)
def test_settings_without_effect_on_a_client_are_refused(
    options: dict[str, Any], named: str
) -> None:
    """A proxy or certificates beside a client that has its own: the setting is named."""
    assert check_http_client(None, field="http_client", is_async=False, **options) is None
    with pytest.raises(UsageError, match="has no effect together with http_client") as refusal:
        check_http_client(StandIn(), field="http_client", is_async=False, **options)
    assert refusal.value.field == named


def test_the_size_of_responses_has_a_limit() -> None:
    """256 MiB, or what is given."""
    assert Settings.create(api_token=TOKEN).max_response_bytes == 256 * 2**20
    assert DEFAULT_MAX_RESPONSE_BYTES == 256 * 2**20
    assert Settings.create(api_token=TOKEN, max_response_bytes=1).max_response_bytes == 1
