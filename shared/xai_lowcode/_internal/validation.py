"""Check settings when they are given: each error names the setting and says what to do.

Nothing here keeps or prints a value that may be secret.
"""

import inspect
import os
import re
import ssl
from datetime import timedelta
from functools import lru_cache
from importlib.util import find_spec
from numbers import Integral, Real
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import SecretStr

from xai_lowcode.errors import TOKEN_SOURCE, UsageError
from xai_lowcode.redaction import RedactedStr

TOKEN_VARIABLE = "LOWCODEAPI_API_TOKEN"  # noqa: S105 - the variable's name, not a token
MAX_TIMEOUT = 1_000_000.0
"""Upper bound of timeouts and of the deadline in seconds: 11.5 days.

``poll`` takes milliseconds as a C int: with more than 2,147,483 s a socket waits for another time
than the one that was set. Above 9.2e9 s ``socket.settimeout`` and locks raise OverflowError.
"""

_PHASES = ("connect", "read", "write", "pool")
_PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
# What getaddrinfo and TLS can encode: labels of 1 to 63 characters, 253 in all.
_HOST = re.compile(r"(?!.{254})(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_UNTYPABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_PLAIN = re.compile(r"[^\s?#\\]+")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


def to_secret(value: Any) -> Any:
    """Return a string so that it does not print; anything else as it is.

    What reports errors shows the variables of frames. A function that may raise binds its argument
    anew with this first.

    Example:
        >>> hide("http://user:password@proxy:3128"), hide(None)
        (<token>, None)
    """
    return RedactedStr(value) if isinstance(value, str) else value


def check_token(token: str) -> SecretStr:
    """Returns the token as a secret, or says why it cannot be one.

    Raises:
        UsageError: It is missing, holds white space or control characters, or is an xAI key.
    """
    if not isinstance(token, str):
        raise UsageError("api_token: a text is needed.", field="api_token")
    token = RedactedStr(token)
    if not token:
        raise UsageError(
            "api_token: no LowCodeAPI token was given.",
            field="api_token",
            hint=f"Give it as api_token, or set {TOKEN_VARIABLE}. {TOKEN_SOURCE}",
        )
    if token.startswith("xai-"):
        raise UsageError(
            "api_token: this is a key of xAI itself (xai-…); the gateway wants its own token.",
            field="api_token",
            hint=TOKEN_SOURCE,
        )
    if _UNTYPABLE.search(token):
        raise UsageError(
            "api_token: it contains white space or control characters, so it was not copied whole.",
            field="api_token",
            hint="Copy the token again; it is one word, usually beginning with at_.",
        )
    return SecretStr(str.__str__(token))


def check_base_url(
    base_url: str, *, allow_insecure_http: bool = False, field: str = "base_url"
) -> str:
    """Returns the address without a slash at its end, or says what is wrong with it.

    Args:
        base_url: The URL.
        allow_insecure_http: Whether plain http to another machine is accepted.
        field: Name of the setting, for errors.

    Raises:
        UsageError: Not an http(s) address, one whose host or port cannot be used, with credentials
            or a query in it, or plain http to another machine, which would show the token to
            everyone on the way.
    """
    base_url = to_secret(base_url)
    fault = _find_base_url_problem(base_url, allow_insecure_http=allow_insecure_http)
    if fault is not None:
        raise UsageError(f"{field}: {fault}.", field=field)
    return str.__str__(base_url).rstrip("/")


def _find_base_url_problem(base_url: Any, *, allow_insecure_http: bool) -> str | None:
    read = _parse_url(base_url)
    if read is None or read[1].scheme not in {"http", "https"} or not read[1].raw_host:
        return "it is not an address such as https://api.lowcodeapi.com/xai"
    parts, url = read
    if "@" in parts.netloc or not _PLAIN.fullmatch(base_url):
        return "it must hold no query, fragment or credentials; use api_token for the token"
    if fault := _find_host_problem(parts, url):
        return fault
    host = url.raw_host.decode("ascii")
    if url.scheme == "http" and not _LOOPBACK.fullmatch(host) and not allow_insecure_http:
        return (
            "plain http to another machine would send the token unencrypted;"
            " use https, or allow_insecure_http=True if you must"
        )
    return None


def _parse_url(url: Any) -> tuple[SplitResult, httpx.URL] | None:
    """Return a URL as the standard library and as httpx read it; None if either cannot."""
    if not isinstance(url, str):
        return None
    try:
        # Of a string that does not print, parts would not print either.
        plain = str.__str__(url)
        parts, parsed = urlsplit(plain), httpx.URL(plain)
        # These are computed when they are asked for, and may raise then.
        _ = parts.port, parsed.host, parsed.netloc
    except (TypeError, ValueError, httpx.InvalidURL):
        return None
    return parts, parsed


def _find_host_problem(parts: SplitResult, url: httpx.URL) -> str | None:
    """Return what is wrong with the host or the port of a URL; None if they can be used."""
    host = url.raw_host.decode("ascii")
    # With a colon it is an IPv6 address, which httpx has checked.
    if ":" not in host and not _HOST.fullmatch(host):
        return (
            "the host name is not valid; each label between dots must have 1 to 63 letters, digits"
            " or hyphens"
        )
    return "the port must be from 1 to 65535" if parts.port == 0 else None


def check_proxy(proxy: Any, *, field: str = "proxy") -> SecretStr | None:
    """Return the URL of a proxy as a secret.

    Args:
        proxy: The URL as a string or ``SecretStr``, with the scheme ``http``, ``https``, ``socks5``
            or ``socks5h``; ``""`` for no proxy; None for the environment's.
        field: Name of the setting or of the environment variable, for errors.

    Raises:
        UsageError: It is no URL, has another scheme, no host, an invalid port, or a path, query or
            fragment; or its scheme needs the package ``socksio``, which is not installed. The URL
            is not repeated, since it may hold a password.

    Example:
        >>> check_proxy("http://user:password@proxy.example:3128")
        SecretStr('**********')
    """
    if proxy is None:
        return None
    url = to_secret(proxy.get_secret_value() if isinstance(proxy, SecretStr) else proxy)
    # What was given prints whole.
    proxy = type(proxy).__name__
    if not isinstance(url, str):
        raise UsageError(
            f"{field}: the URL of a proxy is needed as a string, not a {proxy}.",
            field=field,
            hint="Give its URL, for instance 'http://proxy.example:3128', or an http_client.",
        )
    fault = _find_proxy_problem(str.__str__(url))
    if fault is not None:
        raise UsageError(f"{field}: {fault[0]}.", field=field, hint=fault[1])
    return SecretStr(str.__str__(url))


def _find_proxy_problem(url: str) -> tuple[str, str] | None:
    """Return what is wrong with the URL of a proxy and what to do; None if it can be used."""
    if not url:
        return None
    form = "Give a URL such as 'http://user:password@proxy.example:3128'."
    read = None if _UNTYPABLE.search(url) or "://" not in url else _parse_url(url)
    if read is None or not read[1].raw_host:
        return "it is not a URL with a scheme and a host", form
    parts, parsed = read
    if parsed.scheme not in _PROXY_SCHEMES:
        return "the scheme is not supported", "Use http, https, socks5 or socks5h."
    if parts.netloc.count("@") > 1 or parsed.path not in {"", "/"} or not _PLAIN.fullmatch(url):
        fault = "the URL of a proxy has no path, query or fragment, and at most one @"
        return fault, "Write / ? # @ in the user name and password as %2F %3F %23 %40."
    if fault_of_host := _find_host_problem(parts, parsed):
        return fault_of_host, form
    needs_socks = parsed.scheme.startswith("socks") and find_spec("socksio") is None
    return _NO_SOCKS if needs_socks else None


_NO_SOCKS = (
    "SOCKS needs the package socksio, which is not installed",
    "Install it with: pip install 'httpx[socks]'",
)


def check_verify(verify: Any) -> bool | str | ssl.SSLContext:
    """Return by what the server's certificate is verified; a path as an absolute one.

    Args:
        verify: True or None for the default CA certificates, False for no verification, the path of
            a file or directory of CA certificates, or an ``ssl.SSLContext``.

    Raises:
        UsageError: It is none of these, the path does not exist, or the file holds no certificate.
    """
    if verify is None:
        # A dump has no more of a context.
        return True
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    path = os.fsdecode(verify) if isinstance(verify, str | os.PathLike) else ""
    if not path:
        raise UsageError(
            "verify: True, False, a path or an ssl.SSLContext is needed, not"
            f" {'an empty string' if verify == '' else f'a {type(verify).__name__}'}.",
            field="verify",
            hint="Give the path of a file or directory of CA certificates.",
        )
    path = os.path.abspath(path)  # noqa: PTH100 - a string is wanted
    if not os.path.exists(path):  # noqa: PTH110 - a string is all there is
        raise UsageError(
            f"verify: there is no file or directory {path!r}.",
            field="verify",
            hint="Give the path of a file or directory of CA certificates.",
        )
    if not os.path.isdir(path) and not _has_certificates(path, os.path.getmtime(path)):  # noqa: PTH112, PTH204 - as above
        raise UsageError(
            f"verify: no certificate can be read from {path!r}.",
            field="verify",
            hint="Give a file of CA certificates in PEM form.",
        )
    return path


@lru_cache(maxsize=16)
def _has_certificates(path: str, _changed: float) -> bool:
    """Return whether OpenSSL can read the file, which takes 10 ms for a large one."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):  # an SSLError is an OSError
        return False
    return True


def check_picklable(verify: Any) -> None:
    """Check that the setting ``verify`` can be pickled.

    Raises:
        UsageError: It is an ``ssl.SSLContext``.
    """
    if isinstance(verify, ssl.SSLContext):
        raise UsageError(
            "verify: an ssl.SSLContext cannot be pickled.",
            field="verify",
            hint="Give the path of the CA file instead.",
        )


def check_http_client(
    client: Any,
    *,
    field: str,
    is_async: bool,
    proxy: Any = None,
    verify: Any = True,
) -> Any:
    """Return a client that was given to send with.

    It is known by what it can do, so that clients of httpx and httpx2, their subclasses and
    stand-ins of tests are accepted alike.

    Args:
        client: The client; None for none.
        field: Name of the argument, for errors.
        is_async: Whether its ``send`` is to be a coroutine function.
        proxy: The setting ``proxy``, which would have no effect on the client.
        verify: The setting ``verify``, which would have none either.

    Raises:
        UsageError: It is no such client, or ``proxy`` or ``verify`` is set as well.
    """
    if client is None:
        return None
    # Reporters of errors show the variables of frames, and both may be the URL of a proxy.
    proxy, client = proxy is not None, to_secret(client)
    wanted = "httpx.AsyncClient" if is_async else "httpx.Client"
    if isinstance(client, type) or not _can_send(client):
        kind = (
            f"the class {client.__name__}" if isinstance(client, type) else _describe_client(client)
        )
        raise UsageError(
            f"{field}: an {wanted} is needed, not {kind}.",
            field=field,
            hint=f"Give an instance, for instance {field}={wanted}().",
        )
    if _is_async(client) is not is_async:
        given = "a sync" if is_async else "an async"
        raise UsageError(
            f"{field}: this is {given} client, an {wanted} is needed.",
            field=field,
            hint="Give the sync client as http_client, the async one under its own name.",
        )
    for name, is_set in (("proxy", proxy), ("verify", verify is not True)):
        if is_set:
            raise UsageError(
                f"{name}: it has no effect together with {field}.",
                field=name,
                hint=f"Configure {name} on that client.",
            )
    return client


def _describe_client(value: Any) -> str:
    if value is None:
        return "None"
    return "a string" if isinstance(value, str) else f"an object of type {type(value).__name__}"


def _can_send(client: Any) -> bool:
    return all(callable(getattr(client, name, None)) for name in ("send", "build_request"))


def _is_async(client: Any) -> bool:
    # What instruments httpx may replace ``send`` with a function of another kind.
    if isinstance(client, httpx.Client | httpx.AsyncClient):
        return isinstance(client, httpx.AsyncClient)
    return inspect.iscoroutinefunction(client.send)


def check_timeout(timeout: Any) -> httpx.Timeout | None:
    """Return the timeouts of the phases of a request, in seconds.

    Args:
        timeout: A number for each phase; four of them as a tuple or list: to connect, to read, to
            write, for the pool, each None for no limit; an ``httpx.Timeout``, or any object with an
            ``as_dict()`` like its; or None for the defaults of this package. Numbers are above 0
            and at most 1,000,000.

    Raises:
        UsageError: It is none of these.

    Example:
        >>> check_timeout((5, 60, None, 5))
        Timeout(connect=5.0, read=60.0, write=None, pool=5.0)
    """
    phases: dict[str, Any] | None
    match timeout:
        case None:
            return None
        case tuple() | list() if len(timeout) == len(_PHASES):
            phases = dict(zip(_PHASES, timeout, strict=True))
        case tuple() | list():
            raise _timeout_error(f"{_describe_client(timeout)} of {len(timeout)}")
        case _ if callable(getattr(timeout, "as_dict", None)):
            phases = _timeout_phases(timeout)
            if phases is None:
                raise _timeout_error(_describe_client(timeout))
        case timedelta() | str() | Real():
            return httpx.Timeout(_check_seconds(timeout, "timeout"))
        case _:
            raise _timeout_error(_describe_client(timeout))
    return httpx.Timeout(
        **{
            phase: None if seconds is None else _check_seconds(seconds, "timeout", f"{phase}: ")
            for phase, seconds in phases.items()
        }
    )


def _timeout_phases(timeout: Any) -> dict[str, Any] | None:
    try:
        phases = timeout.as_dict()
        return {phase: phases[phase] for phase in _PHASES}
    except Exception:  # noqa: BLE001 - objects of any kind fail with errors of any kind
        return None


def _timeout_error(given: str) -> UsageError:
    return UsageError(
        f"timeout: {given} cannot be used.",
        field="timeout",
        hint="Give seconds as a number, four as (connect, read, write, pool), or an httpx.Timeout.",
    )


def check_deadline(deadline: Any) -> float | None:
    """Return the seconds for a whole call; None for no limit.

    Raises:
        UsageError: It is no finite number above 0 and up to 1,000,000.
    """
    return None if deadline is None else _check_seconds(deadline, "deadline")


def _check_seconds(seconds: Any, field: str, phase: str = "") -> float:
    which = f"{field}: {phase}"
    if isinstance(seconds, timedelta):
        raise UsageError(
            f"{which}a timedelta is not a number of seconds.",
            field=field,
            hint="Give its total_seconds().",
        )
    if isinstance(seconds, str):
        raise UsageError(
            f"{which}a string is not a number of seconds.",
            field=field,
            hint="Convert it first, for instance with float().",
        )
    if isinstance(seconds, bool) or not isinstance(seconds, Real):
        raise UsageError(
            f"{which}a number of seconds is needed, not {_describe_client(seconds)}.", field=field
        )
    try:
        number = float(seconds)
    except (OverflowError, ValueError):
        number = float("inf")
    # NaN is not above 0 either.
    if not 0 < number <= MAX_TIMEOUT:
        raise UsageError(
            f"{which}seconds above 0 and at most {MAX_TIMEOUT:,.0f} are needed, not {number!r}.",
            field=field,
            hint="Leave it out for the default." if not phase else "Use None for no limit.",
        )
    return number


def check_max_retries(number: Any) -> int:
    """Return how often a failed call is made again.

    Raises:
        UsageError: It is no integer of 0 or more.
    """
    return _check_integer(number, "max_retries", 0, "Set it to 0 for a single request.")


def check_max_response_bytes(number: Any) -> int:
    """Return the limit of the decompressed size of one response, in bytes.

    Raises:
        UsageError: It is no integer above 0.
    """
    return _check_integer(number, "max_response_bytes", 1, "Leave it out for 256 MiB.")


def _check_integer(number: Any, field: str, least: int, hint: str) -> int:
    if isinstance(number, Integral) and not isinstance(number, bool) and int(number) >= least:
        return int(number)
    try:
        shown = repr(number) if isinstance(number, Integral) else _describe_client(number)
    except ValueError:  # more than 4300 digits
        shown = _describe_client(number)
    raise UsageError(
        f"{field}: an integer of {least} or more is needed, not {shown}.", field=field, hint=hint
    )


def check_max_concurrency(number: Any) -> int | None:
    """Returns the number, or says what is wrong with it.

    Raises:
        UsageError: It is no whole number above 0.
    """
    if number is None or (isinstance(number, int) and not isinstance(number, bool) and number > 0):
        return number
    raise UsageError(
        f"max_concurrency: a whole number above 0 is needed, not {number!r}.",
        field="max_concurrency",
        hint="Leave it out, or set it to None, for no limit.",
    )
