"""Settings of a client: token, base URL, timeouts, retries, proxy, certificates, URL format.

Arguments take precedence over environment variables. All values are validated when the settings
are created, before any connection is opened.
"""

import os
import ssl
from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol, Self, TypedDict

import httpx
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
    field_validator,
)

from xai_lowcode._internal.constructors import Unchecked
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.tokens import TokenSource
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode._internal.validation import (
    TOKEN_VARIABLE,
    check_base_url,
    check_deadline,
    check_max_concurrency,
    check_max_response_bytes,
    check_max_retries,
    check_picklable,
    check_proxy,
    check_timeout,
    check_token,
    check_token_source,
    check_url_format,
    check_verify,
    to_secret,
)
from xai_lowcode.errors import UsageError
from xai_lowcode.redaction import RedactedStr

BASE_URL_VARIABLE = "LOWCODEAPI_BASE_URL"
URL_FORMAT_VARIABLE = "LOWCODEAPI_URL_FORMAT"
DEFAULT_BASE_URL = "https://api.lowcodeapi.com/xai"
DEFAULT_BACKEND_URL = "https://backend.lowcodeapi.com/xai"

UrlFormat = Literal["auto", "new", "old"]
ApiToken = SecretStr | str | Callable[[], SecretStr | str]
"""A token, or a function that returns it, which is called for each request."""
Verify = bool | str | os.PathLike[str] | ssl.SSLContext
Timeout = float | tuple[float | None, float | None, float | None, float | None] | httpx.Timeout

# A buffering gateway sends nothing until the response is complete, and reasoning may take minutes:
# the read timeout is long, the others are short.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=1200.0, write=60.0, pool=60.0)

DEFAULT_MAX_RESPONSE_BYTES = 268_435_456
"""256 MiB."""


def _check_base_url(base_url: Any) -> str:
    # ``Settings.create`` has checked whether plain http is accepted.
    return check_base_url(base_url, allow_insecure_http=True)


def _check_backend_url(backend_url: Any) -> str | None:
    if backend_url is None:
        return None
    return check_base_url(backend_url, allow_insecure_http=True, field="backend_url")


def _check_verify(verify: Any) -> bool | str | ssl.SSLContext:
    checked = check_verify(verify)
    if checked is False:
        warn_user(
            "verify=False: the server's certificate is not verified, so anyone on the network can"
            " read the token. Pass the path of your CA certificates as verify instead."
        )
    return checked


class _AsyncRateLimiter(Protocol):
    """A rate limiter with the method names of LlamaIndex."""

    def acquire(self) -> object: ...
    async def async_acquire(self) -> object: ...


class _RateLimiter(Protocol):
    """A rate limiter with the method names of LangChain."""

    def acquire(self) -> object: ...
    async def aacquire(self) -> object: ...


RateLimiter = _RateLimiter | _AsyncRateLimiter
"""Limits the rate of requests; LangChain's and LlamaIndex's rate limiters are such."""


class ClientOptions(TypedDict, total=False):
    """Keyword arguments of clients, from which their settings are created; see ``Settings``."""

    api_token: ApiToken | None
    base_url: str | None
    backend_url: str | None
    allow_insecure_http: bool
    timeout: Timeout | None
    deadline: float | None
    max_retries: int | None
    max_concurrency: int | None
    parameter_names: dict[str, str]
    proxy: SecretStr | str | None
    verify: Verify | None
    max_response_bytes: int | None
    url_format: UrlFormat | None


COMPONENT_OPTIONS = tuple(
    sorted(ClientOptions.__annotations__.keys() - {"backend_url", "parameter_names"})
)
"""Names of the options that are fields of the adapters' components."""


class Settings(BaseModel):
    """Settings of a client; immutable and picklable, with a repr without the token.

    Example:
        >>> Settings.create(api_token="at_r0123456789abcdef").base_url
        'https://api.lowcodeapi.com/xai'
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    api_token: Annotated[SecretStr | Callable[[], SecretStr | str], Unchecked] = Field(
        exclude=True, repr=False
    )
    """The LowCodeAPI token (``at_…``); not in dumps and reprs, but in pickles. Or a function that
    returns it, which is called for each request and pickled by reference."""
    base_url: Annotated[str, BeforeValidator(_check_base_url)] = DEFAULT_BASE_URL
    """Base URL of the gateway, ending in ``/xai``."""
    backend_url: Annotated[str | None, BeforeValidator(_check_backend_url)] = None
    """Base URL of the gateway's definition; no token is sent there. None for the hosted backend, or
    for ``base_url`` if that is not the hosted gateway."""
    timeout: Annotated[httpx.Timeout | None, Unchecked, BeforeValidator(check_timeout)] = None
    """Timeouts in seconds: a number, four as (connect, read, write, pool), or an ``httpx.Timeout``.
    Default None: 10 to connect, 1200 to read, 60 to write, 60 to wait for a free connection."""
    deadline: Annotated[float | None, BeforeValidator(check_deadline)] = None
    """Seconds for a whole call, including all retries and delays; default None for no limit."""
    max_retries: Annotated[int, BeforeValidator(check_max_retries)] = 2
    """Number of retries of a failed call; 0 for a single request."""
    max_concurrency: Annotated[int | None, BeforeValidator(check_max_concurrency)] = None
    """Maximum number of concurrent requests of threads and tasks together; None for no limit."""
    parameter_names: dict[str, str] = Field(default_factory=dict)
    """The gateway's names of path parameters in the old URL format, if they differ, for instance
    ``{"file_id": "id"}``."""
    proxy: Annotated[SecretStr | None, BeforeValidator(check_proxy)] = Field(
        default=None, exclude=True, repr=False
    )
    """URL of a proxy, with the scheme ``http``, ``https``, ``socks5`` or ``socks5h``; None, the
    default, for that of the environment, ``""`` for none. It may contain a password: not in dumps
    and reprs, but in pickles."""
    verify: Annotated[bool | str | ssl.SSLContext, Unchecked, BeforeValidator(_check_verify)] = True
    """How the server's certificate is verified: True, the default, for the default certificates or
    those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``; the path of a file or directory of CA
    certificates; an ``ssl.SSLContext``, which is null in dumps and cannot be pickled; False for no
    verification, with a warning."""
    max_response_bytes: Annotated[int, BeforeValidator(check_max_response_bytes)] = (
        DEFAULT_MAX_RESPONSE_BYTES
    )
    """Limit of the decompressed size of one response, in bytes; default 256 MiB."""
    url_format: Annotated[UrlFormat, BeforeValidator(check_url_format)] = "auto"
    """The gateway's URL format, ``"new"`` or ``"old"``; ``"auto"`` uses the new one until it fails,
    and remembers that for all clients of the process. Default: ``LOWCODEAPI_URL_FORMAT``, then
    ``"auto"``."""

    @classmethod
    def create(
        cls,
        *,
        api_token: ApiToken | None = None,
        base_url: str | None = None,
        allow_insecure_http: bool = False,
        proxy: SecretStr | str | None = None,
        **options: Any,
    ) -> Self:
        """Create settings from arguments and environment variables.

        The variables are ``LOWCODEAPI_API_TOKEN``, ``LOWCODEAPI_BASE_URL`` and
        ``LOWCODEAPI_URL_FORMAT``.

        Args:
            api_token: The LowCodeAPI token, or a function that returns it.
            base_url: The gateway's base URL, ending in ``/xai``.
            allow_insecure_http: Accept plain ``http`` to another host.
            proxy: URL of a proxy; None for that of the environment, ``""`` for none.
            options: The other fields.

        Raises:
            UsageError: The token is missing, or a setting has an invalid value; ``field`` names it.
        """
        if (error := credential_error(options, known=cls.model_fields)) is not None:
            options.clear()
            raise error
        # Error reporters print the local variables of frames.
        api_token, proxy = to_secret(api_token), to_secret(proxy)
        token = _resolve_token(api_token)
        if options.get("url_format") is None:
            options["url_format"] = os.environ.get(URL_FORMAT_VARIABLE) or None
        return cls(
            api_token=token,
            proxy=check_proxy(proxy),
            base_url=check_base_url(
                base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL,
                allow_insecure_http=allow_insecure_http,
            ),
            **{name: value for name, value in options.items() if value is not None},
        )

    @classmethod
    def of(cls, settings: "Settings | None", options: ClientOptions) -> "Settings":
        """Return the settings of a client: those it was given, or created from its options.

        Raises:
            UsageError: An option is invalid, ``settings`` has another type, or both are given.
        """
        if settings is None:
            try:
                return cls.create(**options)
            except BaseException:
                # Error reporters print the local variables of frames, the caller's included.
                dict.clear(options)  # type: ignore[arg-type]  # a dict
                raise
        if isinstance(settings, Settings) and not options:
            return settings
        is_settings, settings = isinstance(settings, Settings), None
        named = ", ".join(options)
        dict.clear(options)  # type: ignore[arg-type]  # a dict
        raise UsageError(
            f"{named}: settings were given too; pass either."
            if is_settings
            else "settings: must be Settings. Options need their names, for instance api_token=…",
            field=named if is_settings else "settings",
        )

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: httpx.Timeout | None) -> dict[str, float | None] | None:
        return None if timeout is None else timeout.as_dict()

    @field_serializer("verify")
    def _plain_verify(self, verify: bool | str | ssl.SSLContext) -> bool | str | None:
        return None if isinstance(verify, ssl.SSLContext) else verify

    @field_validator("api_token", mode="before")
    @classmethod
    def _check_token(cls, token: Any) -> Any:
        token = to_secret(token)
        return _resolve_token(token)

    def known_token(self) -> str | TokenSource:
        """Return the token, redacted in reprs, or what reads it for each request."""
        if isinstance(self.api_token, SecretStr):
            return RedactedStr(self.api_token.get_secret_value())
        return TokenSource(self.api_token)

    @property
    def backend(self) -> str:
        """Base URL of the gateway's definition."""
        if self.backend_url is not None:
            return self.backend_url
        return DEFAULT_BACKEND_URL if self.base_url == DEFAULT_BASE_URL else self.base_url

    @property
    def httpx_timeout(self) -> httpx.Timeout:
        """The timeouts, with the defaults applied."""
        return DEFAULT_TIMEOUT if self.timeout is None else self.timeout

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # An SSLContext cannot be copied.
        return super().__deepcopy__({**(memo or {}), id(self.verify): self.verify})

    def __getstate__(self) -> dict[Any, Any]:
        check_picklable(self.verify, self.api_token)
        return super().__getstate__()


def _resolve_token(token: Any) -> Any:
    """Return the checked token, by default that of the environment, or the function for it."""
    token = check_token_source(RedactedStr(token) if isinstance(token, str) else token)
    if callable(token):
        return token
    value = RedactedStr(token.get_secret_value() if token is not None else "")
    return check_token(value or RedactedStr(os.environ.get(TOKEN_VARIABLE, "")))
