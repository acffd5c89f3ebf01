"""What a user configures: token, address, timeouts, retries, URL form.

Values come from arguments first, then from the environment. Everything is checked here, before
a connection exists, so a wrong token or address never reaches the network.
"""

import os
import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from xai_lowcode.errors import TOKEN_SOURCE, UsageError
from xai_lowcode.redaction import Secret

TOKEN_VARIABLE = "LOWCODEAPI_API_TOKEN"  # noqa: S105 - the variable's name, not a token
BASE_URL_VARIABLE = "LOWCODEAPI_BASE_URL"
DEFAULT_BASE_URL = "https://api.lowcodeapi.com/xai"
DEFAULT_BACKEND_URL = "https://backend.lowcodeapi.com/xai"

UrlFormat = Literal["auto", "new", "old"]
Timeout = float | tuple[float | None, float | None, float | None, float | None] | httpx.Timeout

# A gateway that buffers sends nothing until the answer is complete, and a reasoning model may think
# for minutes: reading waits long, everything else is short.
DEFAULT_TIMEOUT = httpx.Timeout(connect=10.0, read=1200.0, write=60.0, pool=60.0)

_UNTYPABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f]")
_PLAIN = re.compile(r"[^\s?#\\]+")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|::1")


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
    """Seconds for each phase, as httpx takes them; None for the defaults of this package."""
    deadline: Annotated[float, Field(gt=0)] | None = None
    """Seconds for a whole call, all attempts and waits included; None for no limit."""
    max_retries: Annotated[int, Field(ge=0)] = 2
    """How often a failed call is made again; 0 means one request."""
    max_concurrency: int | None = None
    """Requests in flight at one time, of threads and coroutines together; None for no limit."""
    parameter_names: dict[str, str] = Field(default_factory=dict)
    """The gateway's names for the ids in the old URL form, where they differ from ours, for
    instance ``{"file_id": "id"}``; ``learn_url_forms`` takes them from its definition."""
    url_format: UrlFormat = "auto"
    """The gateway's URL form; ``"auto"`` begins with the new one and remembers what worked."""

    @classmethod
    def create(
        cls,
        *,
        api_token: SecretStr | str | None = None,
        base_url: str | None = None,
        allow_insecure_http: bool = False,
        **options: Any,
    ) -> Self:
        """Makes settings from arguments, then ``LOWCODEAPI_API_TOKEN`` and ``LOWCODEAPI_BASE_URL``.

        Args:
            api_token: The gateway's token.
            base_url: The gateway's address, ending in ``/xai``.
            allow_insecure_http: Accept plain ``http`` to a host that is not this machine.
            options: The other fields.

        Raises:
            UsageError: No token, a token that cannot be one, or an unusable address.
        """
        # What reports errors shows the variables of frames: this one is not to hold it plainly.
        api_token = _hidden(api_token)
        return cls(
            api_token=check_token(api_token),
            base_url=check_base_url(
                base_url or os.environ.get(BASE_URL_VARIABLE) or DEFAULT_BASE_URL,
                allow_insecure_http=allow_insecure_http,
            ),
            **{name: value for name, value in options.items() if value is not None},
        )

    @field_validator("max_concurrency", mode="before")
    @classmethod
    def _check_max_concurrency(cls, number: Any) -> int | None:
        return check_max_concurrency(number)

    @property
    def backend(self) -> str:
        """The address of the definition."""
        if self.backend_url is not None:
            return self.backend_url
        return DEFAULT_BACKEND_URL if self.base_url == DEFAULT_BASE_URL else self.base_url

    @property
    def httpx_timeout(self) -> httpx.Timeout:
        """The timeouts as httpx takes them."""
        if self.timeout is None:
            return DEFAULT_TIMEOUT
        given = self.timeout
        return given if isinstance(given, httpx.Timeout) else httpx.Timeout(given)


def _hidden(token: SecretStr | str | None) -> str:
    """The token that was given, else that of the environment, as a text that does not print."""
    given = token.get_secret_value() if isinstance(token, SecretStr) else token
    if given and not isinstance(given, str):
        return given
    return Secret(given or os.environ.get(TOKEN_VARIABLE, ""))


def check_token(token: str) -> SecretStr:
    """Returns the token as a secret, or says why it cannot be one.

    Raises:
        UsageError: It is missing, holds white space or control characters, or is an xAI key.
    """
    if not isinstance(token, str):
        raise UsageError("api_token: a text is needed.", field="api_token")
    token = Secret(token)
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


def check_base_url(base_url: str, *, allow_insecure_http: bool = False) -> str:
    """Returns the address without a slash at its end, or says what is wrong with it.

    Raises:
        UsageError: Not an http(s) address, with credentials or a query in it, or plain http to
            another machine, which would show the token to everyone on the way.
    """
    try:
        url = urlsplit(base_url)
        host = url.hostname or ""
        _ = url.port, httpx.URL(base_url)
    except (AttributeError, TypeError, ValueError, httpx.InvalidURL):
        url, host = urlsplit(""), ""
    if url.scheme not in {"http", "https"} or not host:
        raise _bad_base_url("it is not an address such as https://api.lowcodeapi.com/xai")
    if url.username or url.password or not _PLAIN.fullmatch(base_url):
        raise _bad_base_url(
            "it must hold no query, fragment or credentials; use api_token for the token"
        )
    if url.scheme == "http" and not _LOOPBACK.fullmatch(host) and not allow_insecure_http:
        raise _bad_base_url(
            "plain http to another machine would send the token unencrypted;"
            " use https, or allow_insecure_http=True if you must"
        )
    return base_url.rstrip("/")


def _bad_base_url(reason: str) -> UsageError:
    return UsageError(f"base_url: {reason}.", field="base_url")


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
