"""Validate settings; error messages name the setting and contain no value that may be secret."""

import inspect
import os
import pickle
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

from xai_lowcode.errors import TOKEN_SOURCE, UsageError, describe_value
from xai_lowcode.redaction import RedactedStr

TOKEN_VARIABLE = "LOWCODEAPI_API_TOKEN"  # noqa: S105 - the variable's name, not a token
MAX_TIMEOUT = 1_000_000.0
"""Upper limit of timeouts and of the deadline in seconds.

The system call ``poll`` takes milliseconds as a C int, which overflows above 2,147,483 s.
"""

_PHASES = ("connect", "read", "write", "pool")
_PROXY_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
# Limits of getaddrinfo and TLS: labels of 1 to 63 characters, 253 in all.
_HOST = re.compile(r"(?!.{254})(?:[A-Za-z0-9_-]{1,63}\.)*[A-Za-z0-9_-]{1,63}\.?")
_SPACE_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_WITHOUT_QUERY = re.compile(r"[^\s?#\\]+")
_VERSION_PATH = re.compile(r"(?<=/xai)/+v1$", re.IGNORECASE)
_HOSTED = "api.lowcodeapi.com"
_HOSTED_PATH = re.compile(r"/+xai(/+v1)?/*", re.IGNORECASE)
# Domains of xAI's and other providers' APIs, which would receive the gateway's token.
_PROVIDERS = frozenset(
    {
        *("x.ai", "openai.com", "openai.azure.com", "anthropic.com", "googleapis.com"),
        *("mistral.ai", "groq.com", "deepseek.com", "openrouter.ai", "together.xyz"),
    }
)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


def to_secret(value: Any) -> Any:
    """Return a string as ``RedactedStr``, whose repr hides it; other values unchanged.

    Error reporters print the local variables of frames, so functions that may raise rebind their
    argument with this first.

    Example:
        >>> to_secret("http://user:password@proxy:3128"), to_secret(None)
        (<token>, None)
    """
    return RedactedStr(value) if isinstance(value, str) else value


def check_token_source(token: Any) -> Any:
    """Return a token as a secret, a function that returns it unchanged, and None as None.

    Raises:
        UsageError: It is neither a string nor a function that returns one.
    """
    if isinstance(token, str):
        return SecretStr(str.__str__(token))
    if token is None or isinstance(token, SecretStr):
        return token
    if not callable(token) or isinstance(token, type) or inspect.iscoroutinefunction(token):
        token = None
        raise UsageError(
            "api_token: must be a string, a SecretStr, or a function without arguments, not async,"
            " that returns one.",
            field="api_token",
        )
    return token


def check_token(token: str) -> SecretStr:
    """Return the token as a secret.

    Raises:
        UsageError: It is missing, contains white space or control characters, or is an xAI key.
    """
    if not isinstance(token, str):
        raise UsageError("api_token: must be a string.", field="api_token")
    token = RedactedStr(token)
    if not token:
        raise UsageError(
            "api_token: no LowCodeAPI token was given.",
            field="api_token",
            hint=f"Pass it as api_token, or set {TOKEN_VARIABLE}. {TOKEN_SOURCE}",
        )
    if token.startswith("xai-"):
        raise UsageError(
            "api_token: this is a key of xAI itself (xai-…); the gateway needs its own token.",
            field="api_token",
            hint=TOKEN_SOURCE,
        )
    if _SPACE_OR_CONTROL.search(token):
        raise UsageError(
            "api_token: it contains white space or control characters, so the copy is incomplete.",
            field="api_token",
            hint="Copy the token again; it usually begins with at_.",
        )
    return SecretStr(str.__str__(token))


def check_base_url(
    base_url: str, *, allow_insecure_http: bool = False, field: str = "base_url"
) -> str:
    """Return the base URL without surrounding white space, a trailing slash and ``/v1``.

    Args:
        base_url: The URL.
        allow_insecure_http: Whether plain http to another host is accepted.
        field: Name of the setting, for errors.

    Raises:
        UsageError: It is not an http(s) URL, has an invalid host or port, contains credentials or a
            query, is the API of xAI or another provider, is the hosted gateway without ``/xai``, or
            is plain http to another host, which would send the token unencrypted.
    """
    # What is no string may be unhashable.
    base_url = to_secret(base_url.strip()) if isinstance(base_url, str) else None
    return _check_base_url(base_url, allow_insecure_http, field)


@lru_cache(maxsize=64)
def _check_base_url(base_url: str | None, allow_insecure_http: bool, field: str) -> str:
    # A URL that raises, and may contain a credential, is not kept in the cache.
    problem = _find_base_url_problem(base_url, allow_insecure_http=allow_insecure_http)
    if base_url is None or problem is not None:
        raise UsageError(f"{field}: {problem}.", field=field)
    return _VERSION_PATH.sub("", str.__str__(base_url).rstrip("/"))


def _find_base_url_problem(base_url: Any, *, allow_insecure_http: bool) -> str | None:
    parsed = _parse_url(base_url)
    if parsed is None or parsed[1].scheme not in {"http", "https"} or not parsed[1].raw_host:
        return "it is not a URL such as https://api.lowcodeapi.com/xai"
    parts, url = parsed
    if "@" in parts.netloc or not _WITHOUT_QUERY.fullmatch(base_url):
        return "it must not contain a query, fragment or credentials; pass the token as api_token"
    if problem := _find_host_problem(parts, url) or _find_provider_problem(url):
        return problem
    host = url.raw_host.decode("ascii")
    if host == _HOSTED and not _HOSTED_PATH.fullmatch(url.path):
        return f"the hosted gateway is at https://{_HOSTED}/xai; the path must be /xai"
    if url.scheme == "http" and not _LOOPBACK.fullmatch(host) and not allow_insecure_http:
        return (
            "plain http to another host would send the token unencrypted;"
            " use https, or allow_insecure_http=True if you must"
        )
    return None


def _parse_url(url: Any) -> tuple[SplitResult, httpx.URL] | None:
    """Return a URL as parsed by the standard library and by httpx; None if it is invalid."""
    if not isinstance(url, str):
        return None
    try:
        # Parts of a RedactedStr would be redacted too.
        plain = str.__str__(url)
        parts, parsed = urlsplit(plain), httpx.URL(plain)
        # These properties may raise.
        _ = parts.port, parsed.host, parsed.netloc
    except (TypeError, ValueError, httpx.InvalidURL):
        return None
    return parts, parsed


def _find_host_problem(parts: SplitResult, url: httpx.URL) -> str | None:
    host = url.raw_host.decode("ascii")
    # With a colon, it is an IPv6 address, which httpx has validated.
    if ":" not in host and not _HOST.fullmatch(host):
        return (
            "the host name is not valid; each label between dots must have 1 to 63 letters, digits"
            " or hyphens"
        )
    return "the port must be from 1 to 65535" if parts.port == 0 else None


def _find_provider_problem(url: httpx.URL) -> str | None:
    host = url.raw_host.decode("ascii").rstrip(".")
    labels = host.split(".")
    if _PROVIDERS.isdisjoint(".".join(labels[start:]) for start in range(len(labels))):
        return None
    return (
        f"{host} is the API of a provider, not the gateway, and would receive the gateway's token;"
        f" leave base_url out, or set it to https://{_HOSTED}/xai or to your own gateway"
    )


def check_url_format(url_format: Any) -> Any:
    """Return the URL format.

    Raises:
        UsageError: It is not ``"auto"``, ``"new"`` or ``"old"``.
    """
    if url_format not in ("auto", "new", "old"):
        raise UsageError(
            f"url_format: must be 'auto', 'new' or 'old', not {describe_value(url_format)}.",
            field="url_format",
        )
    return url_format


def check_proxy(proxy: Any, *, field: str = "proxy") -> SecretStr | None:
    """Return the URL of a proxy as a secret.

    Args:
        proxy: The URL as a string or ``SecretStr``, with the scheme ``http``, ``https``, ``socks5``
            or ``socks5h``; ``""`` for no proxy; None for that of the environment.
        field: Name of the setting or of the environment variable, for errors.

    Raises:
        UsageError: It is not a URL, has an unsupported scheme, an invalid host or port, or a path,
            query or fragment; or SOCKS support is not installed. The message does not contain the
            URL, which may have a password.

    Example:
        >>> check_proxy("http://user:password@proxy.example:3128")
        SecretStr('**********')
    """
    if proxy is None:
        return None
    url = to_secret(proxy.get_secret_value() if isinstance(proxy, SecretStr) else proxy)
    # The repr of an httpx.Proxy contains the password.
    proxy = type(proxy).__name__
    if not isinstance(url, str):
        raise UsageError(
            f"{field}: the URL must be passed as a string, not a {proxy}.",
            field=field,
            hint="Pass a URL such as 'http://proxy.example:3128', or an http_client.",
        )
    problem = _find_proxy_problem(str.__str__(url))
    if problem is not None:
        raise UsageError(f"{field}: {problem[0]}.", field=field, hint=problem[1])
    return SecretStr(str.__str__(url))


def _find_proxy_problem(url: str) -> tuple[str, str] | None:
    """Return the problem of a proxy URL and what to do; None if the URL is valid."""
    if not url:
        return None
    example = "Pass a URL such as 'http://user:password@proxy.example:3128'."
    parsed = None if _SPACE_OR_CONTROL.search(url) or "://" not in url else _parse_url(url)
    if parsed is None or not parsed[1].raw_host:
        return "it is not a URL with a scheme and a host", example
    parts, parsed_url = parsed
    if parsed_url.scheme not in _PROXY_SCHEMES:
        return "the scheme is not supported", "Use http, https, socks5 or socks5h."
    has_path = parsed_url.path not in {"", "/"} or not _WITHOUT_QUERY.fullmatch(url)
    if parts.netloc.count("@") > 1 or has_path:
        problem = "the URL of a proxy must not have a path, query, fragment or a second @"
        return problem, "Write / ? # @ in the user name and password as %2F %3F %23 %40."
    if host_problem := _find_host_problem(parts, parsed_url):
        return host_problem, example
    lacks_socks = parsed_url.scheme.startswith("socks") and find_spec("socksio") is None
    return _SOCKS_PROBLEM if lacks_socks else None


_SOCKS_PROBLEM = (
    "SOCKS requires the package socksio, which is not installed",
    "Install it with: pip install 'httpx[socks]'",
)


def check_verify(verify: Any, *, field: str = "verify") -> bool | str | ssl.SSLContext:
    """Return how the server's certificate is verified; a path becomes absolute.

    Args:
        verify: True or None for the default CA certificates, False for no verification, the path of
            a file or directory of CA certificates, or an ``ssl.SSLContext``.
        field: Name of the setting or environment variable, for errors.

    Raises:
        UsageError: It is none of these, the path does not exist, or the file has no certificate.
    """
    if verify is None:
        # The value of a context in a dump.
        return True
    if isinstance(verify, bool | ssl.SSLContext):
        return verify
    path = os.fsdecode(verify) if isinstance(verify, str | os.PathLike) else ""
    if not path:
        value = "an empty string" if verify == "" else f"a {type(verify).__name__}"
        problem = f"must be True, False, a path or an ssl.SSLContext, not {value}"
        raise _verify_error(field, problem)
    path = os.path.abspath(path)  # noqa: PTH100 - the setting is a string
    if not os.path.exists(path):  # noqa: PTH110 - as above
        raise _verify_error(field, f"there is no file or directory {path!r}")
    if not os.path.isdir(path) and not _has_certificates(path, os.path.getmtime(path)):  # noqa: PTH112, PTH204 - as above
        raise _verify_error(field, f"no certificate can be read from {path!r}")
    return path


def _verify_error(field: str, problem: str) -> UsageError:
    return UsageError(
        f"{field}: {problem}.",
        field=field,
        hint="Pass the path of a PEM file or a directory of CA certificates.",
    )


@lru_cache(maxsize=16)
def _has_certificates(path: str, _modified: float) -> bool:
    """Return whether OpenSSL can read the file; cached, since a large file takes 10 ms."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except (OSError, ValueError):  # an SSLError is an OSError
        return False
    return True


def check_picklable(verify: Any, token: Any) -> None:
    """Check that the settings ``verify`` and ``api_token`` can be pickled.

    Raises:
        UsageError: ``verify`` is an ``ssl.SSLContext``, or ``api_token`` is a function that cannot
            be pickled.
    """
    if callable(token):
        try:
            pickle.dumps(token)
        except Exception:  # noqa: BLE001 - __reduce__ may raise anything
            raise UsageError(
                "api_token: this function cannot be pickled.",
                field="api_token",
                hint="Use a function that is defined at the top level of a module.",
            ) from None
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
    """Return an ``http_client`` of the caller.

    It is recognized by its methods, so that clients of httpx and httpx2, subclasses and test
    doubles are accepted.

    Args:
        client: The client; None for none.
        field: Name of the argument, for errors.
        is_async: Whether its ``send`` must be a coroutine function.
        proxy: The setting ``proxy``, which would have no effect on the client.
        verify: The setting ``verify``, likewise.

    Raises:
        UsageError: It is not such a client, or ``proxy`` or ``verify`` is set as well.
    """
    if client is None:
        return None
    # Error reporters print local variables, and both may be the URL of a proxy.
    proxy, client = proxy is not None, to_secret(client)
    wanted = "httpx.AsyncClient" if is_async else "httpx.Client"
    if isinstance(client, type) or not _can_send(client):
        is_class = isinstance(client, type)
        value = f"the class {client.__name__}" if is_class else _describe(client)
        raise UsageError(
            f"{field}: an instance of {wanted} is needed, not {value}.",
            field=field,
            hint=f"Pass an instance, for instance {field}={wanted}().",
        )
    if _is_async(client) is not is_async:
        kind = "a sync" if is_async else "an async"
        raise UsageError(
            f"{field}: this is {kind} client, an {wanted} is needed.",
            field=field,
            hint="Pass a sync client as http_client, an async client as http_async_client.",
        )
    for name, is_set in (("proxy", proxy), ("verify", verify is not True)):
        if is_set:
            raise UsageError(
                f"{name}: has no effect together with {field}.",
                field=name,
                hint=f"Configure {name} on that client.",
            )
    return client


def _describe(value: Any) -> str:
    if value is None:
        return "None"
    return "a string" if isinstance(value, str) else f"an object of type {type(value).__name__}"


def _can_send(client: Any) -> bool:
    return all(callable(getattr(client, name, None)) for name in ("send", "build_request"))


def _is_async(client: Any) -> bool:
    # Instrumentation may replace ``send`` of httpx with a function of another kind.
    if isinstance(client, httpx.Client | httpx.AsyncClient):
        return isinstance(client, httpx.AsyncClient)
    return inspect.iscoroutinefunction(client.send)


def check_timeout(timeout: Any) -> httpx.Timeout | None:
    """Return the timeouts of the phases of a request.

    Args:
        timeout: Seconds for each phase; a tuple or list of four (connect, read, write, pool), each
            of which None disables; an ``httpx.Timeout`` or an object with the same ``as_dict()``;
            or None for the defaults. Numbers must be above 0 and at most 1,000,000.

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
            raise _timeout_error(f"{_describe(timeout)} of {len(timeout)}")
        case _ if callable(getattr(timeout, "as_dict", None)):
            phases = _timeout_phases(timeout)
            if phases is None:
                raise _timeout_error(_describe(timeout))
        case timedelta() | str() | Real():
            return httpx.Timeout(_check_seconds(timeout, "timeout"))
        case _:
            raise _timeout_error(_describe(timeout))
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
    except Exception:  # noqa: BLE001 - an object of the caller may raise anything
        return None


def _timeout_error(value: str) -> UsageError:
    return UsageError(
        f"timeout: must not be {value}.",
        field="timeout",
        hint="Pass seconds as a number, four as (connect, read, write, pool), or an httpx.Timeout.",
    )


def check_deadline(deadline: Any) -> float | None:
    """Return the deadline of a whole call in seconds; None for no limit.

    Raises:
        UsageError: It is not a number above 0 and at most 1,000,000.
    """
    return None if deadline is None else _check_seconds(deadline, "deadline")


def _check_seconds(value: Any, field: str, phase: str = "") -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise UsageError(
            f"{field}: {phase}must be a number of seconds, not {_describe(value)}.", field=field
        )
    try:
        seconds = float(value)
    except (OverflowError, ValueError):
        seconds = float("inf")
    # False for NaN, too.
    if not 0 < seconds <= MAX_TIMEOUT:
        raise UsageError(
            f"{field}: {phase}must be above 0 and at most {MAX_TIMEOUT:,.0f} seconds, not"
            f" {seconds!r}.",
            field=field,
            hint="Use None for no limit." if phase else "Omit it for the default.",
        )
    return seconds


def check_max_retries(value: Any) -> int:
    """Return the number of retries.

    Raises:
        UsageError: It is not an integer of 0 or more.
    """
    return _check_integer(value, "max_retries", 0, "Set it to 0 for a single request.")


def check_max_response_bytes(value: Any) -> int:
    """Return the limit of the decompressed size of one response, in bytes.

    Raises:
        UsageError: It is not an integer above 0.
    """
    return _check_integer(value, "max_response_bytes", 1, "Omit it for 256 MiB.")


def check_max_concurrency(value: Any) -> int | None:
    """Return the maximum number of concurrent requests; None for no limit.

    Raises:
        UsageError: It is not an integer above 0.
    """
    if value is None:
        return None
    return _check_integer(value, "max_concurrency", 1, "Set it to None for no limit.")


def _check_integer(value: Any, field: str, minimum: int, hint: str) -> int:
    if isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= minimum:
        return int(value)
    try:
        shown = repr(value) if isinstance(value, Integral) else _describe(value)
    except ValueError:  # more than 4300 digits
        shown = _describe(value)
    raise UsageError(
        f"{field}: must be an integer of {minimum} or more, not {shown}.", field=field, hint=hint
    )


def check_type(name: str, value: object, kind: type) -> None:
    """Check an argument that is an object of this package.

    Raises:
        UsageError: It is of another type.
    """
    if not isinstance(value, kind):
        raise UsageError(
            f"{name}: must be of type {kind.__name__}, not {describe_value(value)}.", field=name
        )
