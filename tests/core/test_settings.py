"""Invalid settings raise before a connection exists, and no output contains the token."""

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

VALID_URLS = [
    DEFAULT_BASE_URL,
    "https://host/xai",
    "https://host:8443/a/b",
    "http://127.0.0.1:8000/xai",
    "http://localhost/xai",
    "http://[::1]:9/xai",
    "HTTPS://HOST/xai",
    "http://127.1.2.3",
]
INVALID_URLS = [
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
    # Hosts that a lower layer cannot use: httpx, the codec of getaddrinfo, or TLS.
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
REMOTE_HTTP_URLS = [
    "http://api.lowcodeapi.com/xai",
    "http://10.0.0.1/xai",
    "http://127.0.0.1.evil.com/xai",
    "http://localhost.evil.com",
    "http://[::2]/xai",
    "http://0.0.0.0/xai",
]
INVALID_TOKENS = [
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


@for_each("token", INVALID_TOKENS)
@for_each("secret", [False, True])
def test_invalid_tokens_raise(token: str, secret: bool) -> None:
    """An invalid token raises an error that has a hint and does not contain the token."""
    with pytest.raises(UsageError) as raised:
        Settings.create(api_token=SecretStr(token) if secret else token)
    assert raised.value.field == "api_token"
    assert raised.value.hint
    if len(token) > 8:
        assert token.strip()[:8] not in str(raised.value)


@given(st.text(max_size=30))
def test_any_other_string_is_a_token(text: str) -> None:
    """Any string without white space is accepted unchanged, or raises a `UsageError`."""
    try:
        secret = check_token(text)
    except UsageError as error:
        assert error.field == "api_token"  # noqa: PT017 - both results are valid
    else:
        assert secret.get_secret_value() == text
        assert repr(secret) == repr(SecretStr("another"))
        assert text.split() == [text]


@for_each("url", VALID_URLS)
@for_each("slashes", ["", "/", "//"])
def test_trailing_slashes_of_a_base_url_are_removed(url: str, slashes: str) -> None:
    """A valid base URL is unchanged but for its trailing slashes."""
    assert check_base_url(url + slashes) == url


@for_each("url", INVALID_URLS)
@pytest.mark.parametrize("insecure", [False, True])
def test_invalid_base_urls_raise(url: str, insecure: bool) -> None:
    """A URL that is not HTTP(S), is malformed, or has credentials or a query raises an error."""
    with pytest.raises(UsageError) as raised:
        Settings.create(api_token=TOKEN, base_url=url, allow_insecure_http=insecure)
    assert raised.value.field == "base_url"


@for_each(
    ("given", "expected"),
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
def test_base_urls_are_normalized(given: str, expected: str) -> None:
    """White space around the URL, and the version of xAI's base URL, are removed."""
    assert check_base_url(given) == expected
    assert Settings.create(api_token=TOKEN, base_url=given).base_url == expected


@for_each("path", ["", "/", "/v1", "/openai", "/xai/v1/models", "/xaiv1"])
def test_the_hosted_gateway_needs_its_path(path: str) -> None:
    """The hosted gateway without ``/xai`` raises an error with the correct URL."""
    with pytest.raises(UsageError, match=r"https://api\.lowcodeapi\.com/xai") as raised:
        Settings.create(api_token=TOKEN, base_url=f"https://api.lowcodeapi.com{path}")
    assert raised.value.field == "base_url"


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
SIMILAR_URLS = [
    "https://notx.ai/xai",
    "https://x.ai.example/xai",
    "https://api-x.ai/xai",
    "https://gateway.example/api.x.ai/v1",
    "https://openai.com.example/xai",
    "https://ai/xai",
]


@pytest.mark.parametrize("url", PROVIDERS)
def test_provider_urls_are_rejected(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The URL of a provider raises, however it is set: it would receive the gateway's token."""
    monkeypatch.setenv("LOWCODEAPI_API_TOKEN", TOKEN)
    monkeypatch.setenv("LOWCODEAPI_BASE_URL", url)
    calls: list[Callable[[], Any]] = [
        Settings.create,
        ChatXAILowCode,
        XAILowCode,
        lambda: Settings.create(base_url=url, allow_insecure_http=True),
        lambda: Settings(api_token=SecretStr(TOKEN), base_url=url),
        lambda: SyncAPIClient(base_url=url),
        lambda: ChatXAILowCode(base_url=url),
        lambda: XAILowCode(api_base=url),
    ]
    for call in calls:
        with pytest.raises(UsageError, match=r"leave base_url out") as raised:
            call()
        assert raised.value.field == "base_url"
        assert "https://api.lowcodeapi.com/xai" in str(raised.value)


@for_each("url", SIMILAR_URLS)
def test_urls_similar_to_a_provider_are_accepted(url: str) -> None:
    """Only complete labels of the host are compared."""
    assert Settings.create(api_token=TOKEN, base_url=url).base_url


def test_the_url_format_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """``LOWCODEAPI_URL_FORMAT`` is used without an argument; an invalid value raises an error."""
    assert Settings.create(api_token=TOKEN).url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "old")
    assert Settings.create(api_token=TOKEN).url_format == "old"
    assert Settings.create(api_token=TOKEN, url_format="auto").url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "")
    assert Settings.create(api_token=TOKEN).url_format == "auto"
    monkeypatch.setenv("LOWCODEAPI_URL_FORMAT", "older")
    with pytest.raises(UsageError, match="url_format: must be 'auto', 'new' or 'old', not 'older'"):
        Settings.create(api_token=TOKEN)


@for_each("url", REMOTE_HTTP_URLS)
def test_http_to_other_hosts_needs_an_option(url: str) -> None:
    """A URL of another host without TLS raises unless ``allow_insecure_http`` is set."""
    with pytest.raises(UsageError, match="base_url"):
        check_base_url(url)
    assert check_base_url(url, allow_insecure_http=True) == url


HOSTS = st.lists(
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
    | HOSTS.map("https://{}/xai".format)
    | st.builds(
        "{}{}{}".format,
        st.sampled_from(["https://", "http://", "https://host", ""]),
        st.text(st.characters(codec="utf-8"), max_size=12),
        st.sampled_from(["", "/xai", ":1", "@h"]),
    )
)
def test_an_accepted_base_url_can_be_used(url: str) -> None:
    """Any string raises a UsageError, or a client can use it."""
    try:
        settings = Settings.create(api_token=TOKEN, base_url=url, allow_insecure_http=True)
    except UsageError:
        return
    SyncAPIClient(settings)
    parsed = httpx.URL(settings.base_url)
    assert parsed.host
    assert httpx.Request("POST", parsed).headers["host"]
    host = parsed.raw_host.decode()
    with suppress(socket.gaierror):
        # No name is resolved; a host that cannot be encoded raises.
        socket.getaddrinfo(host, parsed.port or 443, flags=socket.AI_NUMERICHOST)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(incoming, outgoing, server_hostname=host)


def test_arguments_take_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument takes precedence over the environment, and this over the default."""
    with pytest.raises(UsageError, match=TOKEN_VARIABLE):
        Settings.create()
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    assert Settings.create().api_token.get_secret_value() == TOKEN
    assert Settings.create().base_url == DEFAULT_BASE_URL
    monkeypatch.setenv(BASE_URL_VARIABLE, "https://env/xai/")
    assert Settings.create().base_url == "https://env/xai"
    from_arguments = Settings.create(api_token="at_own", base_url="https://own/xai")
    assert (from_arguments.api_token.get_secret_value(), from_arguments.base_url) == (
        "at_own",
        "https://own/xai",
    )
    monkeypatch.setenv(TOKEN_VARIABLE, "at_with space")
    with pytest.raises(UsageError, match="white space"):
        Settings.create()


def test_the_token_is_in_no_output() -> None:
    """No repr, string, dump or JSON contains the token; pickles and copies have it."""
    settings = Settings.create(api_token=TOKEN, timeout=(1.0, 2.0, 3.0, 4.0), deadline=5.0)
    outputs: list[Any] = [repr(settings), str(settings), settings.model_dump(), vars(settings)]
    outputs += [settings.model_dump_json(), settings.model_dump(mode="json"), list(settings)]
    assert all(TOKEN not in f"{text} {text!r}" for text in outputs)
    assert "api_token" not in settings.model_dump()
    for copied in (
        pickle.loads(pickle.dumps(settings)),  # noqa: S301 - just written
        copy.deepcopy(settings),
        copy.copy(settings),
    ):
        assert copied == settings
        assert copied.api_token.get_secret_value() == TOKEN
        assert TOKEN not in repr(copied)


INVALID_SECONDS: list[Any] = [
    *("soon", "5", "", b"5", True, False, 0, 0.0, -1, -0.5),
    *(float("nan"), float("inf"), -float("inf"), 1e20, 10**400, -(10**5000), MAX_TIMEOUT + 1),
    *(timedelta(seconds=5), Decimal(5), 1j, [], {}, object(), int, TOKEN),
    Fraction(1, 10**400),
]
VALID_SECONDS: list[Any] = [1, 0.5, 1e-320, MAX_TIMEOUT, Fraction(1, 2)]


class TimeoutWithPhases:
    """An object like httpx2's Timeout."""

    def __init__(self, phases: Any) -> None:
        self.phases = phases

    def as_dict(self) -> Any:
        if isinstance(self.phases, Exception):
            raise self.phases
        return self.phases


def name_phases(*seconds: Any) -> dict[str, Any]:
    return dict(zip(("connect", "read", "write", "pool"), seconds, strict=True))


INVALID_TIMEOUTS: list[Any] = [
    *INVALID_SECONDS,
    *[(1, invalid, 1, 1) for invalid in INVALID_SECONDS],
    *[httpx.Timeout(5, pool=invalid) for invalid in INVALID_SECONDS],
    *((5,), (1, 2), (1, 2, 3), (1, 2, 3, 4, 5), (), [5], {"read": 1}, {1, 2, 3, 4}, "1234"),
    *(
        httpx.Timeout,
        name_phases,
        TimeoutWithPhases({}),
        TimeoutWithPhases(None),
        TimeoutWithPhases({"read": 1}),
    ),
    *(
        TimeoutWithPhases(name_phases(1, 2, 3, -1)),
        TimeoutWithPhases(ValueError(TOKEN)),
        TimeoutWithPhases([1, 2, 3, 4]),
    ),
]
INVALID_VALUES: dict[str, list[Any]] = {
    "timeout": INVALID_TIMEOUTS,
    "deadline": INVALID_SECONDS,
    "max_retries": [True, False, -1, -(10**5000), 1.0, 2.5, "2", "", float("nan"), [], TOKEN],
    "max_response_bytes": [True, 0, -1, 1.0, 1e9, "5", float("inf"), {}, TOKEN],
    "max_concurrency": [True, 0, -1, 1.5, "2"],
    "base_url": [5, b"https://host/xai", [5], object(), *INVALID_URLS],
    "backend_url": [5, b"https://host/xai", "", *INVALID_URLS],
    "verify": ["", "/no/such/file", "\0", 1, 0, 5.5, [], object(), ssl, "/dev/null", TOKEN],
    "proxy": [5, b"http://host", [], object(), httpx.Proxy("http://host"), TOKEN],
}


@for_each("name", [*INVALID_VALUES])
def test_invalid_values_raise(name: str) -> None:
    """Each invalid value raises a UsageError with the field and without the token."""
    for value in INVALID_VALUES[name]:
        with pytest.raises(UsageError) as raised:
            pytest.fail(f"accepted: {Settings.create(**{'api_token': TOKEN, name: value})!r}")
        error = raised.value
        assert error.field == name, type(value)
        assert str(error).startswith(f"{name}: "), type(value)
        assert TOKEN not in f"{error} {error!r} {error.__context__}", type(value)


@pytest.mark.parametrize("value", ["x", 5, None], ids=repr)
def test_the_error_of_a_url_format_has_no_token(value: Any) -> None:
    """The error does not contain the other settings."""
    with pytest.raises(UsageError, match="url_format") as raised:
        Settings(api_token=SecretStr(TOKEN), url_format=value)
    assert TOKEN not in f"{raised.value} {raised.value!r}"


@for_each("name", ["access_token", "headers", "extra_headers", "apiKey"])
def test_a_token_under_another_name_raises(name: str) -> None:
    """The error names the argument and contains no token, unlike pydantic's errors."""
    with pytest.raises(UsageError) as raised:
        Settings.create(api_token=TOKEN, **{name: f"{TOKEN}0"})
    assert raised.value.field == name
    assert f"{TOKEN}0" not in leaks.render_exception(raised.value, skip=(__file__, leaks.__file__))


def test_settings_are_immutable() -> None:
    """Setting a field raises an error."""
    settings = Settings.create(api_token=TOKEN)
    with pytest.raises(pydantic.ValidationError):
        settings.base_url = "http://evil"


# --- timeouts -----------------------------------------------------------------------------------

TIMEOUTS: list[tuple[Any, tuple[Any, ...]]] = [
    (None, tuple(DEFAULT_TIMEOUT.as_dict().values())),
    *[(seconds, (float(seconds),) * 4) for seconds in VALID_SECONDS],
    ((1, 2, 3, 4), (1, 2, 3, 4)),
    ([1, 2.5, None, 4], (1, 2.5, None, 4)),
    ((None, None, None, None), (None,) * 4),
    (httpx.Timeout(7), (7,) * 4),
    (httpx.Timeout(None, connect=1), (1, None, None, None)),
    (TimeoutWithPhases(name_phases(1, None, 3, 4)), (1, None, 3, 4)),
]


@for_each(("given_timeout", "phases"), TIMEOUTS)
def test_timeouts_of_every_type(given_timeout: Any, phases: tuple[Any, ...]) -> None:
    """A number, four numbers, `httpx.Timeout` and similar objects are accepted and stored alike."""
    settings = Settings.create(api_token=TOKEN, timeout=given_timeout)
    assert tuple(settings.httpx_timeout.as_dict().values()) == phases
    assert settings.httpx_timeout is settings.httpx_timeout
    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301 - just written
    assert settings.model_dump()["timeout"] == (given_timeout and name_phases(*phases))


def test_timeouts_of_httpx2() -> None:
    """A timeout of httpx2, the successor of httpx, is accepted."""
    httpx2 = pytest.importorskip("httpx2")
    settings = Settings.create(api_token=TOKEN, timeout=httpx2.Timeout(5, read=7))
    assert settings.httpx_timeout == httpx.Timeout(5, read=7)


@pytest.mark.parametrize("timeout", [MAX_TIMEOUT, (None,) * 4])
@pytest.mark.parametrize("deadline", [None, MAX_TIMEOUT])
def test_the_longest_timeouts_can_be_used(
    gateway: FakeServer, timeout: Any, deadline: float | None
) -> None:
    """Sockets and locks accept the longest timeouts."""
    gateway.respond = lambda _request: json_reply({"data": []})
    settings = Settings.create(
        api_token=TOKEN, base_url=gateway.base_url, timeout=timeout, deadline=deadline
    )
    with SyncAPIClient(settings) as client:
        assert client.call(LIST_MODELS) == []


@pytest.mark.parametrize("seconds", [MAX_TIMEOUT, 1e-320])
def test_the_limits_of_timeouts_are_those_of_the_system(seconds: float) -> None:
    """Sockets and locks accept the limits; ``poll`` takes milliseconds as a C int."""
    with socket.socket() as connection:
        connection.settimeout(seconds)
        assert connection.gettimeout()
    lock = threading.Lock()
    assert lock.acquire(timeout=seconds)
    assert seconds * 1000 < 2**31


# --- proxies ------------------------------------------------------------------------------------

PASSWORD = "canary-of-a-password"
VALID_PROXIES = [
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
INVALID_PROXIES = [
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
    """Pretend that socksio is installed."""
    monkeypatch.setattr("xai_lowcode._internal.validation.find_spec", lambda _name: object())


@pytest.mark.usefixtures("_socks")
@for_each("url", VALID_PROXIES)
@for_each("secret", [False, True])
def test_no_output_has_the_proxy_url(url: str, *, secret: bool) -> None:
    """No repr, string or dump contains the URL of the proxy; pickles and copies have it."""
    settings = Settings.create(api_token=TOKEN, proxy=SecretStr(url) if secret else url)
    assert settings.proxy is not None
    assert settings.proxy.get_secret_value() == url
    assert check_proxy(url) == settings.proxy
    output = f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert PASSWORD not in output
    assert "proxy" not in settings.model_dump()
    for copied in (
        pickle.loads(pickle.dumps(settings)),  # noqa: S301 - just written
        copy.deepcopy(settings),
    ):
        assert copied == settings
        assert copied.proxy == settings.proxy


@pytest.mark.usefixtures("_socks")
@for_each("url", INVALID_PROXIES)
@for_each("secret", [False, True])
@for_each("field", ["proxy", "HTTPS_PROXY"])
def test_invalid_proxies_raise(url: str, field: str, *, secret: bool) -> None:
    """The error names the setting or variable, and no part of it contains the URL."""
    given_url = SecretStr(url) if secret else url
    with pytest.raises(UsageError) as raised:
        check_proxy(given_url, field=field)
    assert raised.value.field == field
    assert raised.value.hint
    assert str(raised.value).startswith(f"{field}: ")
    output = leaks.render_exception(raised.value, skip=(__file__, leaks.__file__))
    assert PASSWORD not in output


def test_without_a_proxy_the_environment_is_used() -> None:
    """The default of the setting is None."""
    assert check_proxy(None) is None
    assert Settings.create(api_token=TOKEN).proxy is None


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_without_socksio(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """The error for a missing package names what to install."""
    monkeypatch.setattr("xai_lowcode._internal.validation.find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'httpx\[socks\]'") as raised:
        Settings.create(api_token=TOKEN, proxy=f"{scheme}://host")
    assert raised.value.field == "proxy"


def test_a_proxy_object_raises() -> None:
    """The error asks for a URL and does not contain the object, which may have a password."""
    with pytest.raises(UsageError, match="as a string") as raised:
        check_proxy(httpx.Proxy(f"http://user:{PASSWORD}@host:1"))
    assert "http_client" in str(raised.value.hint)
    assert PASSWORD not in leaks.render_exception(raised.value, skip=(__file__, leaks.__file__))


# --- certificates -------------------------------------------------------------------------------


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    """A file with the certificate of a certificate authority."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


def test_ca_files_and_directories(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file or directory, as a string or a ``Path``, is stored as an absolute path."""
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
def test_a_file_without_certificates_raises(tmp_path: Path, content: bytes) -> None:
    """An invalid CA file raises, also if the file was valid before."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    Settings.create(api_token=TOKEN, verify=path)
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no certificate") as raised:
        Settings.create(api_token=TOKEN, verify=path)
    assert raised.value.field == "verify"
    path.unlink()
    with pytest.raises(UsageError, match="no file or directory"):
        Settings.create(api_token=TOKEN, verify=path)


def test_a_tls_context_is_shared_and_not_pickled() -> None:
    """Copies share a TLS context; pickling raises an error with a hint, and dumps omit it."""
    context = ssl.create_default_context()
    settings = Settings.create(api_token=TOKEN, verify=context)
    assert settings.verify is context
    assert copy.deepcopy(settings).verify is context
    assert copy.copy(settings).verify is context
    with pytest.raises(UsageError) as raised:
        pickle.dumps(settings)
    assert str(raised.value) == (
        "verify: an ssl.SSLContext cannot be pickled. Give the path of the CA file instead."
    )
    assert settings.model_dump()["verify"] is None
    assert settings.model_dump_json()


def test_disabled_verification_warns_once() -> None:
    """Creating settings without verification warns once; copying them does not warn."""
    with pytest.warns(UserWarning, match="anyone on the network can read the token") as caught:
        settings = Settings.create(api_token=TOKEN, verify=False)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert copy.deepcopy(settings).verify is False
        assert pickle.loads(pickle.dumps(settings)).verify is False  # noqa: S301 - just written


# --- custom clients -----------------------------------------------------------------------------


class OtherClient:
    """A client that can send requests, but is not a class of httpx."""

    def build_request(self) -> None: ...

    def send(self) -> None: ...


class OtherAsyncClient(OtherClient):
    async def send(self) -> None: ...  # type: ignore[override] # as httpx's two clients


class SubClient(httpx.Client): ...


class InstrumentedClient(httpx.AsyncClient):
    """An async client whose method an instrumentation replaced by a sync function."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        return super().send(*args, **kwargs)


SYNC_CLIENTS: list[Callable[[], Any]] = [httpx.Client, SubClient, OtherClient]
ASYNC_CLIENTS: list[Callable[[], Any]] = [httpx.AsyncClient, InstrumentedClient, OtherAsyncClient]
NOT_CLIENTS: list[Any] = [
    *(httpx, httpx.Client, httpx.AsyncClient, "http://user:canary@proxy", 5, object(), {}),
    *(httpx.HTTPTransport, ssl, lambda: None),
]


def add_httpx2(factories: list[Callable[[], Any]], name: str) -> list[Callable[[], Any]]:
    try:
        import httpx2  # noqa: PLC0415 - may be missing
    except ImportError:
        return factories
    return [*factories, getattr(httpx2, name)]


@pytest.mark.parametrize("is_async", [False, True])
async def test_clients_are_recognized_by_their_methods(*, is_async: bool) -> None:
    """Clients of httpx, httpx2 and others are accepted; sync and async must not be confused."""
    accepted, rejected = (
        add_httpx2(SYNC_CLIENTS, "Client"),
        add_httpx2(ASYNC_CLIENTS, "AsyncClient"),
    )
    if is_async:
        accepted, rejected = rejected, accepted
    for create in accepted:
        client = create()
        assert check_http_client(client, field="http_client", is_async=is_async) is client
        await close(client)
    for create in rejected:
        client = create()
        with pytest.raises(UsageError, match="sync client, an httpx") as raised:
            check_http_client(client, field="http_client", is_async=is_async)
        assert raised.value.field == "http_client"
        await close(client)


async def close(client: Any) -> None:
    if hasattr(client, "aclose"):
        await client.aclose()
    elif hasattr(client, "close"):
        client.close()


@for_each("value", NOT_CLIENTS)
@for_each("is_async", [False, True])
def test_other_objects_are_not_clients(value: Any, *, is_async: bool) -> None:
    """The error names the argument and the expected class, and does not contain the value."""
    expected = r"httpx\.AsyncClient" if is_async else r"httpx\.Client"
    with pytest.raises(UsageError, match=rf"^http_x: .*{expected} is needed") as raised:
        check_http_client(value, field="http_x", is_async=is_async)
    assert raised.value.field == "http_x"
    assert "canary" not in leaks.render_exception(raised.value, skip=(__file__, leaks.__file__))


@for_each(
    ("options", "field"),
    [
        ({"proxy": SecretStr("http://proxy")}, "proxy"),
        ({"proxy": ""}, "proxy"),
        ({"verify": False}, "verify"),
        ({"verify": "/ca.pem"}, "verify"),
    ],
)
def test_settings_without_effect_on_a_client_raise(options: dict[str, Any], field: str) -> None:
    """A proxy or CA file together with a custom client raises an error that names the setting."""
    assert check_http_client(None, field="http_client", is_async=False, **options) is None
    with pytest.raises(UsageError, match="has no effect together with http_client") as raised:
        check_http_client(OtherClient(), field="http_client", is_async=False, **options)
    assert raised.value.field == field


def test_the_limit_of_the_response_size() -> None:
    """The limit is 256 MiB by default."""
    assert Settings.create(api_token=TOKEN).max_response_bytes == 256 * 2**20
    assert DEFAULT_MAX_RESPONSE_BYTES == 256 * 2**20
    assert Settings.create(api_token=TOKEN, max_response_bytes=1).max_response_bytes == 1
