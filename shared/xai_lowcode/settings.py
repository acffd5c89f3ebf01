"""What a user configures: token, base URL, timeouts, retries, proxy, certificates, URL form.

Values come from arguments first, then from the environment. Everything is checked here, before
a connection exists, so a wrong setting is refused with its name where it is given, and never
reaches the network.
"""

import os
import ssl
import warnings
from typing import Any, Literal, Self

import httpx
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    field_serializer,
    field_validator,
)

from xai_lowcode._internal.credentials import credential_error
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
    check_verify,
    to_secret,
)
from xai_lowcode.redaction import RedactedStr

BASE_URL_VARIABLE = "LOWCODEAPI_BASE_URL"
DEFAULT_BASE_URL = "https://api.lowcodeapi.com/xai"
DEFAULT_BACKEND_URL = "https://backend.lowcodeapi.com/xai"

UrlFormat = Literal["auto", "new", "old"]
Timeout = float | tuple[float | None, float | None, float | None, float | None] | httpx.Timeout

# A gateway that buffers sends nothing until the answer is complete, and a reasoning model may think
# for minutes: reading waits long, everything else is short.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=1200.0, write=60.0, pool=60.0)

DEFAULT_MAX_RESPONSE_BYTES = 268_435_456
"""256 MiB."""


class Settings(BaseModel):
    """How to reach the gateway; immutable, picklable, printable without the token.

    Example:
        >>> Settings.create(api_token="at_r0123456789abcdef").base_url
        'https://api.lowcodeapi.com/xai'
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, arbitrary_types_allowed=True
    )

    api_token: SecretStr = Field(exclude=True, repr=False)
    """The gateway's token (``at_…``); in no dump and no print, but in pickles."""
    base_url: str = DEFAULT_BASE_URL
    """The gateway with the provider's name in its path, without a slash at the end."""
    backend_url: str | None = None
    """Where the gateway's definition lies; no token is sent there. None for the hosted back end, or
    for ``base_url`` where that is another one."""
    timeout: Any = None
    """Seconds for each phase, kept as an ``httpx.Timeout``; see ``check_timeout``. Default None: 10
    to connect, 1200 to read, 60 to write, 60 to wait for a free connection."""
    deadline: float | None = None
    """Seconds for a whole call, all attempts and waits included; default None, for no limit."""
    max_retries: int = 2
    """How often a failed call is made again; 0 means one request."""
    max_concurrency: int | None = None
    """Requests in flight at one time, of threads and coroutines together; None for no limit."""
    parameter_names: dict[str, str] = Field(default_factory=dict)
    """The gateway's names for the ids in the old URL form, where they differ from ours, for
    instance ``{"file_id": "id"}``; ``learn_url_forms`` takes them from its definition."""
    proxy: SecretStr | None = Field(default=None, exclude=True, repr=False)
    """URL of a proxy, with the schemes ``http``, ``https``, ``socks5`` or ``socks5h``; None, the
    default, for that of the environment, ``""`` for none whatever the environment says. It may
    hold a user name and a password: in no dump and no print, but in pickles."""
    verify: Any = True
    """By which certificates the server's is verified: True, the default, for the default CA
    certificates or those of ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``; the path of a file or directory
    of CA certificates; an ``ssl.SSLContext``, null in dumps and not to be pickled; False for no
    verification at all, with a warning."""
    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    """Limit of the decompressed size of one response, in bytes; default 256 MiB."""
    url_format: UrlFormat = "auto"
    """The gateway's URL form; ``"auto"`` begins with the new one and remembers what worked."""

    @classmethod
    def create(
        cls,
        *,
        api_token: SecretStr | str | None = None,
        base_url: str | None = None,
        allow_insecure_http: bool = False,
        proxy: SecretStr | str | None = None,
        **options: Any,
    ) -> Self:
        """Makes settings from arguments, then ``LOWCODEAPI_API_TOKEN`` and ``LOWCODEAPI_BASE_URL``.

        Args:
            api_token: The gateway's token.
            base_url: The gateway's base URL, ending in ``/xai``.
            allow_insecure_http: Accept plain ``http`` to a host that is not this machine.
            proxy: URL of a proxy; None for the environment's, ``""`` for none.
            options: The other fields.

        Raises:
            UsageError: No token, a token that cannot be one, an unusable base URL, or a setting
                with an impossible value; ``field`` names it.
        """
        if (refusal := credential_error(options, known=cls.model_fields)) is not None:
            options.clear()
            raise refusal
        # What reports errors shows the variables of frames: this one is not to hold it plainly.
        api_token, proxy = _to_secret(api_token), to_secret(proxy)
        return cls(
            api_token=check_token(api_token),
            proxy=check_proxy(proxy),
            base_url=check_base_url(
                base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL,
                allow_insecure_http=allow_insecure_http,
            ),
            **{name: value for name, value in options.items() if value is not None},
        )

    @field_validator("base_url", mode="before")
    @classmethod
    def _check_base_url(cls, base_url: Any) -> str:
        # Whether plain http is accepted was decided by ``create``.
        return check_base_url(base_url, allow_insecure_http=True)

    @field_validator("backend_url", mode="before")
    @classmethod
    def _check_backend_url(cls, backend_url: Any) -> str | None:
        if backend_url is None:
            return None
        return check_base_url(backend_url, allow_insecure_http=True, field="backend_url")

    @field_validator("timeout", mode="before")
    @classmethod
    def _check_timeout(cls, timeout: Any) -> httpx.Timeout | None:
        return check_timeout(timeout)

    @field_validator("deadline", mode="before")
    @classmethod
    def _check_deadline(cls, deadline: Any) -> float | None:
        return check_deadline(deadline)

    @field_validator("max_retries", mode="before")
    @classmethod
    def _check_max_retries(cls, number: Any) -> int:
        return check_max_retries(number)

    @field_validator("max_concurrency", mode="before")
    @classmethod
    def _check_max_concurrency(cls, number: Any) -> int | None:
        return check_max_concurrency(number)

    @field_validator("proxy", mode="before")
    @classmethod
    def _check_proxy(cls, proxy: Any) -> SecretStr | None:
        # Here and below: reporters of errors show the variables of frames.
        proxy = to_secret(proxy)
        return check_proxy(proxy)

    @field_validator("verify", mode="before")
    @classmethod
    def _check_verify(cls, verify: Any) -> bool | str | ssl.SSLContext:
        checked = check_verify(verify)
        if checked is False:
            warnings.warn(
                "verify=False: the server's certificate is not verified, so anyone on the network"
                " can read the token. Give the path of your CA certificates as verify instead.",
                UserWarning,
                stacklevel=2,
            )
        return checked

    @field_validator("max_response_bytes", mode="before")
    @classmethod
    def _check_max_response_bytes(cls, number: Any) -> int:
        return check_max_response_bytes(number)

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: httpx.Timeout | None) -> dict[str, float | None] | None:
        return None if timeout is None else timeout.as_dict()

    @field_serializer("verify")
    def _plain_verify(self, verify: bool | str | ssl.SSLContext) -> bool | str | None:
        return None if isinstance(verify, ssl.SSLContext) else verify

    @property
    def backend(self) -> str:
        """The address of the definition."""
        if self.backend_url is not None:
            return self.backend_url
        return DEFAULT_BACKEND_URL if self.base_url == DEFAULT_BASE_URL else self.base_url

    @property
    def httpx_timeout(self) -> httpx.Timeout:
        """The timeouts as httpx takes them."""
        timeout: httpx.Timeout = DEFAULT_TIMEOUT if self.timeout is None else self.timeout
        return timeout

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # An SSLContext cannot be copied, and need not be.
        return super().__deepcopy__({**(memo or {}), id(self.verify): self.verify})

    def __getstate__(self) -> dict[Any, Any]:
        check_picklable(self.verify)
        return super().__getstate__()


def _to_secret(token: SecretStr | str | None) -> str:
    """The token that was given, else that of the environment, as a text that does not print."""
    given = token.get_secret_value() if isinstance(token, SecretStr) else token
    if given and not isinstance(given, str):
        return given
    return RedactedStr(given or os.environ.get(TOKEN_VARIABLE, ""))
