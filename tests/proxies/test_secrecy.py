"""Law: neither the token nor a proxy's password leaks.

The tests search the proxy's transcript, the logs of all loggers at DEBUG, the ``repr`` of objects,
exceptions with their causes and the variables of frames, and OpenTelemetry spans.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from langchain_core.load import dumps

from tests.proxies.certificates import Certificates
from tests.proxies.environment import environment
from tests.proxies.hosts import HTTP_URL, HTTPS_URL, address_of
from tests.proxies.interfaces import FEW, INTERFACES, TOKEN, call
from tests.proxies.leaks import (
    CREDENTIALS,
    PASSWORDS,
    TOKENS,
    Recording,
    recording,
    render_error,
    with_credentials,
)
from tests.proxies.proxy_settings import with_proxy, without_proxy
from tests.proxies.raw_proxy import RawProxy
from tests.proxies.servers import Address
from tests.proxies.tables import cells
from tests.proxies.tls_gateway import TLSGateway
from xai_lowcode import Settings
from xai_lowcode.emulator import Drop, Emulator, Garbage, Reset
from xai_lowcode.errors import XAILowCodeError

ROUTES = ("direct", "tunnel", "forward")
CLIENTS = ("own", "environment", "injected")
ERROR_WITH_TOKEN = f'{{"error": "{TOKEN} is wrong"}}'.encode()
# How the server behind the proxy, if there is one, fails.
FAULTS = {
    "closes": Drop(),
    "resets": Reset(),
    "refuses": Garbage(ERROR_WITH_TOKEN, "application/json", 401),
    "a page": Garbage(b"<html></html>", "text/html", 502),
}


@pytest.fixture
def strict_proxy(gateway_routes: dict[str, Address]) -> Iterator[RawProxy]:
    """Return a proxy that requires credentials."""
    with RawProxy(gateway_routes, credentials=CREDENTIALS) as server:
        yield server
    assert server.violations == []


@contextmanager
def options_for(
    route: str, client: str, proxy: RawProxy, gateway: TLSGateway, certificates: Certificates
) -> Iterator[dict[str, Any]]:
    """Yield the arguments of ``call`` for a route and a kind of client."""
    base_url = {"direct": gateway.base_url(), "tunnel": HTTPS_URL, "forward": HTTP_URL}[route]
    options: dict[str, Any] = {"base_url": base_url, "allow_insecure_http": True}
    url = "" if route == "direct" else with_credentials(proxy.url)
    variables = {}
    if client == "injected":
        create = with_proxy(url, certificates) if url else without_proxy("httpx", certificates)
        options["client"] = create
    else:
        options["verify"] = str(certificates.ca_file)
        if url and client == "environment":
            variables = {"HTTPS_PROXY": url, "HTTP_PROXY": url}
        elif url:
            options["proxy"] = url
    with environment(variables):
        yield options


def assert_no_secrets(recorded: Recording, route: str, proxy: RawProxy) -> None:
    """Check that no secret was recorded, and that the proxy did not receive the token."""
    assert recorded.places_with(*TOKENS, *PASSWORDS) == []
    if route != "forward":
        received = (proxy.clear + proxy.tunnelled).decode("latin-1")
        assert [secret for secret in TOKENS if secret in received] == []


@pytest.mark.parametrize(("route", "client", "name"), cells(ROUTES, CLIENTS, INTERFACES, every=4))
def test_a_successful_call_leaks_nothing(
    strict_proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    route: str,
    client: str,
    name: str,
) -> None:
    """The transcript, logs, ``repr`` and spans of a successful call have neither secret."""
    with (
        options_for(route, client, strict_proxy, tls_gateway, certificates) as options,
        recording() as recorded,
    ):
        call(INTERFACES[name], inspect=recorded.add_object, **options)
    assert bool(strict_proxy.heads) == (route != "direct")
    assert emulator.requests
    assert recorded.texts["reprs"]
    assert recorded.texts["logs"] != [""]
    assert_no_secrets(recorded, route, strict_proxy)


@pytest.mark.parametrize(
    ("route", "fault", "client", "name"), cells(ROUTES, FAULTS, CLIENTS, INTERFACES, every=7)
)
def test_a_failed_call_leaks_nothing(
    strict_proxy: RawProxy,
    tls_gateway: TLSGateway,
    emulator: Emulator,
    certificates: Certificates,
    route: str,
    fault: str,
    client: str,
    name: str,
) -> None:
    """The same holds for a failed call, its exception, the causes and the frames."""
    emulator.inject(*[FAULTS[fault]] * 4)
    with (
        options_for(route, client, strict_proxy, tls_gateway, certificates) as options,
        recording() as recorded,
    ):
        with pytest.raises(XAILowCodeError) as caught:
            call(INTERFACES[name], inspect=recorded.add_object, **options)
        recorded.add("errors", render_error(caught.value))
    assert_no_secrets(recorded, route, strict_proxy)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("route", ["direct", "tunnel"])
def test_an_invalid_certificate_leaks_nothing(
    emulator: Emulator, certificates: Certificates, route: str, client: str, name: str
) -> None:
    """The same holds for a failed TLS handshake with the gateway, direct or in a tunnel."""
    context = certificates.server("other.example")
    with (
        TLSGateway(context, address_of(emulator)) as gateway,
        RawProxy({"gateway.example:443": gateway.address}, credentials=CREDENTIALS) as proxy,
        options_for(route, client, proxy, gateway, certificates) as options,
        recording() as recorded,
    ):
        with pytest.raises(XAILowCodeError) as caught:
            call(INTERFACES[name], inspect=recorded.add_object, **options)
        recorded.add("errors", render_error(caught.value))
    assert "certificate verify failed" in str(caught.value)
    assert_no_secrets(recorded, route, proxy)


DUMPS: dict[str, Callable[[Any], Any]] = {
    "repr": repr,
    "str": str,
    "model_dump": lambda model: model.model_dump(),
    "model_dump_json": lambda model: model.model_dump_json(),
    "langchain dumps": dumps,
    "to_dict": lambda model: model.to_dict(),
    "to_json": lambda model: model.to_json(),
    "to_payload": lambda model: model.to_payload(),
    "identifying parameters": lambda model: model._identifying_params,
}


@pytest.mark.parametrize("way", ["setting", "environment"])
@pytest.mark.parametrize("name", ["settings", *FEW, "langchain image", "llama_index image"])
def test_dumps_of_a_model_have_no_password(name: str, way: str) -> None:
    """The ``repr`` and dumps of models, which traces and caches store, have no proxy password."""
    url = with_credentials("http://127.0.0.1:3128")
    create = Settings.create if name == "settings" else INTERFACES[name].create
    options = {"proxy": url} if way == "setting" else {}
    with environment({"HTTPS_PROXY": url} if way == "environment" else {}):
        model = create(api_token=TOKEN, base_url=HTTPS_URL, **options)
        rendered = {kind: _render(dump, model) for kind, dump in DUMPS.items()}
    secrets = (*TOKENS, *PASSWORDS)
    assert [kind for kind, text in rendered.items() if any(each in text for each in secrets)] == []


def _render(dump: Callable[[Any], Any], model: Any) -> str:
    try:
        return f"{dump(model)!r}"
    except (AttributeError, TypeError):
        return "no such dump"


@pytest.mark.parametrize("url", ["ftp://USER@127.0.0.1:1", "http://USER@127.0.0.1:port", "//USER@"])
def test_an_invalid_proxy_is_rejected_without_its_password(url: str) -> None:
    """The error about an invalid proxy URL names the setting and has no password."""
    with pytest.raises(XAILowCodeError, match="proxy") as caught:
        Settings.create(api_token=TOKEN, proxy=url.replace("USER", f"proxy-user:{PASSWORDS[1]}"))
    message = render_error(caught.value)
    assert [secret for secret in PASSWORDS if secret in message] == []


@pytest.mark.parametrize("url", ["ftp://USER@127.0.0.1:1", "http://USER@127.0.0.1:port"])
@pytest.mark.parametrize("name", FEW)
def test_an_invalid_proxy_of_the_environment_is_rejected_without_its_password(
    name: str, url: str
) -> None:
    """Neither the error nor the variables of this package's frames have the password."""
    proxy = url.replace("USER", f"proxy-user:{PASSWORDS[1]}")
    with environment({"HTTPS_PROXY": proxy}), pytest.raises(XAILowCodeError) as caught:
        call(INTERFACES[name], base_url=HTTPS_URL)
    assert "HTTPS_PROXY" in str(caught.value)
    message = render_error(caught.value)
    assert [secret for secret in PASSWORDS if secret in message] == []
