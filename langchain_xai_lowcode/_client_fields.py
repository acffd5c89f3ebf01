"""The fields that all components share: token, base URL, timeouts, retries, proxy, certificates."""

import ssl
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.utils import from_env, secret_from_env
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.validation import (
    TOKEN_VARIABLE,
    check_deadline,
    check_http_client,
    check_max_response_bytes,
    check_max_retries,
    check_picklable,
    check_proxy,
    check_verify,
    to_secret,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import (
    BASE_URL_VARIABLE,
    DEFAULT_MAX_RESPONSE_BYTES,
    Settings,
    UrlFormat,
)
from xai_lowcode.transport.rate_limit import as_rate_limiter, picklable_or_none
from xai_lowcode.types.requests import OPTIONS

_CHECKS = {
    "deadline": check_deadline,
    "max_retries": check_max_retries,
    "max_response_bytes": check_max_response_bytes,
    "verify": check_verify,
}


# What to say of arguments of LangChain's other models. Those that are not here become unknown
# options, of which ``credentials`` refuses what would carry a token, a key or headers to xAI.
HINTS = {
    "xai_api_key": "the key stays in the LowCodeAPI account; give its token as api_token.",
    "xai_api_base": "give the gateway's base URL as base_url.",
    "openai_api_base": "give the gateway's base URL as base_url.",
    "default_query": "the gateway takes no parameters but its token; give it as api_token.",
    "include_response_headers": "it is no option of a call; set it when the model is created.",
    "openai_proxy": "give the proxy's URL as proxy.",
    "http_socket_options": "set them in an http_client.",
    **dict.fromkeys(
        ("client", "async_client", "root_client", "root_async_client"),
        "give an http_client or http_async_client.",
    ),
    "stream_chunk_timeout": "the time to read of timeout does this.",
    "tiktoken_model_name": "tokens are counted by xAI's own tokenizer.",
    "disabled_params": "what a model refuses is left out by itself.",
}


class ClientFields(BaseModel):
    """How to reach the gateway, as fields of a LangChain component.

    The token is checked when the component is made, and appears in no print and no dump of it. It
    is in its pickles, so that components can travel to worker processes.
    """

    # Each class below adds fields; only the one that is used has its schema built, on first use.
    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    api_token: SecretStr | None = Field(
        default_factory=secret_from_env(TOKEN_VARIABLE, default=None),
        validation_alias=AliasChoices("api_token", "api_key"),
        repr=False,
    )
    """Token of the LowCodeAPI account (``at_…``); default: ``LOWCODEAPI_API_TOKEN``."""

    base_url: str | None = Field(
        default_factory=from_env(BASE_URL_VARIABLE, default=None),
        validation_alias=AliasChoices("base_url", "api_base"),
    )
    """Address of the gateway, ending in ``/xai``; default: ``LOWCODEAPI_BASE_URL``, then hosted."""

    timeout: Any = Field(default=None, validation_alias=AliasChoices("timeout", "request_timeout"))
    """Seconds for each phase of a request: a number, ``(connect, read, write, pool)``, each of them
    None for no limit, or an ``httpx.Timeout``. Numbers are above 0 and at most 1,000,000.

    Default: 10 to connect, 60 to write, 1200 to read, since a gateway may send nothing until the
    answer is complete.
    """

    deadline: float | None = None
    """Seconds for a whole call with all its attempts; default: no limit."""

    max_retries: int = 2
    """How often a failed request is made again; 0 means one request."""

    proxy: SecretStr | None = Field(default=None, exclude=True, repr=False)
    """URL of a proxy, for instance ``"http://user:password@proxy.example:3128"``; with the scheme
    ``http``, ``https``, ``socks5`` or ``socks5h``.

    Default: that of the environment (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``);
    ``""`` for none whatever the environment says. In pickles, but in no print and no dump.
    """

    verify: Any = True
    """By which certificates the gateway's is verified: the path of a file or directory of CA
    certificates, or an ``ssl.SSLContext``, which is null in dumps and cannot be pickled.

    Default: True, for the default CA certificates or those of ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``. False is for no verification, with a warning.
    """

    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    """Limit of the decompressed size of one response, in bytes; default: 256 MiB."""

    url_format: UrlFormat = "auto"
    """URL form of the gateway; ``"auto"`` finds out."""

    max_concurrency: int | None = None
    """Requests in flight at one time, of threads and coroutines together; default: no limit."""

    rate_limiter: Any = Field(default=None, exclude=True, repr=False)
    """Asked before each request, repeats included: a ``BaseRateLimiter`` of LangChain's, or any
    object with ``acquire()``, and ``aacquire()`` or ``async_acquire()``.

    Copies share it. It goes into pickles if it can be pickled.
    """

    allow_insecure_http: bool = False
    """Accept a ``base_url`` with plain http to another machine."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.Client`` to use instead of an own one; left out of pickles. It has its own proxy
    and certificates: not together with ``proxy`` or ``verify``."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` to use instead of own ones; likewise."""

    # Whether LangChain itself asks the rate limiter once for each call.
    _limited_by_langchain: ClassVar[bool] = False

    _gateway: ChatModel = PrivateAttr()

    @model_validator(mode="before")
    @classmethod
    def _read_options(cls, values: Any) -> Any:
        if (refusal := cls._credential_error(values)) is not None:
            # What reports errors shows the variables of frames.
            values = None
            with langchain_errors():
                raise refusal
        return values

    @classmethod
    def _credential_error(cls, values: Any) -> UsageError | None:
        """The error if an argument that is no field would take a credential along."""
        if not isinstance(values, dict):
            return None
        given = [(values, cls._names()), (values.get("model_kwargs"), OPTIONS)]
        given.append((values.get("extra_body"), frozenset()))
        errors = (
            credential_error(options, known=known, hints=HINTS)
            for options, known in given
            if isinstance(options, Mapping)
        )
        return next((error for error in errors if error is not None), None)

    @classmethod
    def _names(cls) -> frozenset[str]:
        """All names of all fields."""
        names = set(cls.model_fields)
        for field in cls.model_fields.values():
            if isinstance(field.validation_alias, AliasChoices):
                names.update(str(choice) for choice in field.validation_alias.choices)
        return frozenset(names)

    @field_validator(*_CHECKS, mode="before")
    @classmethod
    def _check_setting(cls, value: Any, info: ValidationInfo) -> Any:
        with langchain_errors():
            return _CHECKS[str(info.field_name)](value)

    @field_validator("proxy", mode="before")
    @classmethod
    def _check_proxy(cls, proxy: Any) -> SecretStr | None:
        proxy = to_secret(proxy)
        with langchain_errors():
            return check_proxy(proxy)

    @field_serializer("verify")
    def _plain_verify(self, verify: Any) -> Any:
        return None if isinstance(verify, ssl.SSLContext) else verify

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        with langchain_errors():
            known = as_rate_limiter(limiter)
        return limiter if isinstance(limiter, BaseRateLimiter) else known

    @model_validator(mode="after")
    def _connect_to_gateway(self) -> Self:
        with langchain_errors():
            settings = Settings.create(
                api_token=self.api_token,
                base_url=self.base_url,
                timeout=self.timeout,
                deadline=self.deadline,
                max_retries=self.max_retries,
                max_concurrency=self.max_concurrency,
                proxy=self.proxy,
                verify=self.verify,
                max_response_bytes=self.max_response_bytes,
                url_format=self.url_format,
                allow_insecure_http=self.allow_insecure_http,
            )
            for field, is_async in (("http_client", False), ("http_async_client", True)):
                check_http_client(
                    getattr(self, field),
                    field=field,
                    is_async=is_async,
                    proxy=self.proxy,
                    verify=self.verify,
                )
            self._gateway = ChatModel(
                settings,
                http_client=self.http_client,
                http_async_client=self.http_async_client,
                rate_limiter=self.rate_limiter,
                rate_limited_by_framework=self._limited_by_langchain,
            )
        return self

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The secret field and the environment variable that stands for it in dumps."""
        return {"api_token": TOKEN_VARIABLE}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """What stands in LangChain's dumps in the place of a field's value."""
        return {"verify": None} if isinstance(self.verify, ssl.SSLContext) else {}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Whether LangChain can dump it; the token stays behind."""
        return True

    def close(self) -> None:
        """Closes the sync connections; the component may be used again afterwards."""
        self._gateway.client.close()

    async def aclose(self) -> None:
        """Closes the running event loop's connections."""
        await self._gateway.async_client.aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        # A limiter of its own would let the copy send as much again; a TLS context has no copy.
        shared = {id(each): each for each in (self.rate_limiter, self.verify)}
        return super().__deepcopy__({**(memo or {}), **shared})

    def __getstate__(self) -> dict[Any, Any]:
        with langchain_errors():
            check_picklable(self.verify)
        state = super().__getstate__()
        surroundings = {
            "http_client": None,
            "http_async_client": None,
            "rate_limiter": picklable_or_none(self.rate_limiter),
        }
        return {**state, "__dict__": {**state["__dict__"], **surroundings}}


class ModelKwargsMixin(ClientFields):
    """A connection with a model behind it, which may know options that have no field here."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further options; members of the request body if they are unknown here."""

    @model_validator(mode="before")
    @classmethod
    def _read_options(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = cls._names()
        names = values.keys() - known
        refusal = next(
            (UsageError(f"{name}: {HINTS[name]}", field=name) for name in HINTS.keys() & names),
            cls._credential_error(values),
        )
        if refusal is not None:
            values = None
            with langchain_errors():
                raise refusal
        if not names:
            return values
        unknown = {name: values[name] for name in names}
        warnings.warn(
            f"{', '.join(sorted(unknown))}: no field of {cls.__name__}, so put into model_kwargs.",
            stacklevel=4,
        )
        kept = {name: value for name, value in values.items() if name in known}
        return {**kept, "model_kwargs": {**unknown, **(values.get("model_kwargs") or {})}}
