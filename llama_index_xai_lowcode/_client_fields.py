"""Connection settings as fields of the LLM and the embeddings, and how components are copied."""

import logging
import pickle
import ssl
from collections.abc import Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import httpx
from pydantic import (
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

from xai_lowcode._internal.constructors import Unchecked, define_constructor
from xai_lowcode._internal.credentials import NAME_OPTIONS, credential_error, token_error
from xai_lowcode._internal.unknown_parameters import warn_unknown_parameters
from xai_lowcode._internal.user_warnings import warn_user
from xai_lowcode._internal.validation import (
    check_deadline,
    check_http_client,
    check_max_response_bytes,
    check_max_retries,
    check_picklable,
    check_proxy,
    check_token_source,
    check_verify,
    to_secret,
)
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.errors import UsageError
from xai_lowcode.settings import (
    COMPONENT_OPTIONS,
    DEFAULT_MAX_RESPONSE_BYTES,
    ApiToken,
    RateLimiter,
    Settings,
    Timeout,
    UrlFormat,
    Verify,
)
from xai_lowcode.transport.rate_limit import as_rate_limiter
from xai_lowcode.types.requests import OPTIONS

if TYPE_CHECKING:
    from dataclasses import InitVar

_logger = logging.getLogger(__name__)

_CHECKS = {
    "api_token": check_token_source,
    "deadline": check_deadline,
    "max_retries": check_max_retries,
    "max_response_bytes": check_max_response_bytes,
    "verify": check_verify,
}
# Copies share these objects; pickles omit the clients.
_CLIENTS = ("http_client", "http_async_client")
_SHARED = (*_CLIENTS, "callback_manager", "rate_limiter", "verify")
_SECRET_FIELDS = frozenset({"api_token", "proxy"})
_get_settings = attrgetter(*COMPONENT_OPTIONS)
_get_model_fields = attrgetter(*COMPONENT_OPTIONS, *_CLIENTS, "rate_limiter")
_WITHOUT_EFFECT = frozenset(
    {
        "default_headers",
        "api_version",
        "openai_client",
        "async_openai_client",
        "modalities",
        "audio_config",
    }
)


class ClientFields(BaseModel):
    """Connection settings as fields of a LlamaIndex component.

    The token is checked in the constructor. It is in no repr, dump or event, but it is in pickles,
    so that components can be sent to worker processes.
    """

    # Validation errors must not contain the input, which may be the token.
    # pydantic builds the schema of a class when it is first used.
    model_config = ConfigDict(
        hide_input_in_errors=True, arbitrary_types_allowed=True, defer_build=True
    )

    # Parameters of LlamaIndex's OpenAI integrations with another name here.
    _aliases: ClassVar[dict[str, str]] = {
        "api_key": "api_token",
        "api_base": "base_url",
        "async_http_client": "http_async_client",
    }
    _ignored: ClassVar[frozenset[str]] = frozenset({"class_name", "reuse_client"})
    # Options that may be arguments without being fields; they become ``additional_kwargs``.
    _options: ClassVar[frozenset[str]] = frozenset()

    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further options, and further fields of the request body.",
    )
    api_token: Annotated[ApiToken | None, Unchecked] = Field(
        default=None,
        exclude=True,
        repr=False,
        description="LowCodeAPI token (at_…), also as api_key; default LOWCODEAPI_API_TOKEN."
        " In pickles, but not in dumps and events.",
    )
    base_url: str | None = Field(
        default=None,
        description="Base URL of the gateway, also as api_base; default LOWCODEAPI_BASE_URL.",
    )
    allow_insecure_http: bool = Field(
        default=False, description="Whether to allow plain http to a host other than localhost."
    )
    timeout: Annotated[Timeout | None, Unchecked] = Field(
        default=None,
        description="Timeout in seconds: a number, (connect, read, write, pool) with None for no"
        " limit, or an httpx.Timeout; at most 1,000,000. By default reading times out after 20"
        " minutes, since reasoning models may send nothing for long.",
    )
    deadline: float | None = Field(
        default=None, description="Limit of a whole call in seconds, retries included."
    )
    max_retries: int | None = Field(
        default=None, description="Number of retries of a failed call; default 2."
    )
    max_concurrency: int | None = Field(
        default=None,
        description="Limit of concurrent requests, of threads and coroutines together.",
    )
    rate_limiter: Annotated[RateLimiter | None, Unchecked] = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Called before each request, retries included: LlamaIndex's rate limiter, or an"
        " object with acquire(), and async_acquire() or aacquire(). Copies share it.",
    )
    proxy: Annotated[SecretStr | str | None, Unchecked] = Field(
        default=None,
        exclude=True,
        repr=False,
        description="URL of a proxy (http, https, socks5, socks5h); None for the environment's, ''"
        " for none. In pickles, but not in dumps.",
    )
    verify: Annotated[Verify, Unchecked] = Field(
        default=True,
        description="True for the default CA certificates or those of SSL_CERT_FILE and"
        " SSL_CERT_DIR, False for no verification, the path of a file or directory of CA"
        " certificates, or an ssl.SSLContext, which cannot be dumped or pickled.",
    )
    max_response_bytes: int = Field(
        default=DEFAULT_MAX_RESPONSE_BYTES,
        description="Limit of the decompressed size of a response in bytes.",
    )
    url_format: Annotated[UrlFormat | None, Unchecked] = Field(
        default=None,
        description="URL format of the gateway: 'new', 'old' or 'auto'; default"
        " LOWCODEAPI_URL_FORMAT, then 'auto'.",
    )
    http_client: Annotated[httpx.Client | None, Unchecked] = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An httpx.Client for the sync methods; not together with proxy or verify.",
    )
    http_async_client: Annotated[httpx.AsyncClient | None, Unchecked] = Field(
        default=None,
        exclude=True,
        repr=False,
        description="An httpx.AsyncClient for the async methods; not together with proxy or"
        " verify.",
    )

    if TYPE_CHECKING:
        # Aliases, for type checkers.
        api_key: InitVar[ApiToken | None] = None
        api_base: InitVar[str | None] = None
        async_http_client: InitVar[httpx.AsyncClient | None] = None
        # Of LlamaIndex's OpenAI, without effect here.
        reuse_client: InitVar[bool] = True

    # The values of the fields it was created from, and the model.
    _cached_chat_model: tuple[Any, ChatModel] | None = PrivateAttr(default=None)
    # The values of the fields that were validated last, and the settings.
    _cached_settings: tuple[Any, Settings] | None = PrivateAttr(default=None)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        define_constructor(cls)

    @model_validator(mode="before")
    @classmethod
    def _normalize_arguments(cls, values: Any) -> Any:
        """Rename aliases, and move unknown arguments to ``additional_kwargs``."""
        if not isinstance(values, dict):
            return values
        arguments = {name: value for name, value in values.items() if value is not None}
        if (error := cls._credential_error(arguments)) is not None:
            # Error trackers record the variables of frames.
            values = arguments = {}
            raise error
        for alias, name in cls._aliases.items():
            if alias in arguments:
                arguments.setdefault(name, arguments.pop(alias))
        for name in cls._ignored & arguments.keys():
            del arguments[name]
        for name in sorted(_WITHOUT_EFFECT & arguments.keys()):
            if arguments.pop(name):
                warn_user(f"{name} has no effect behind the gateway.")
        if isinstance(arguments.get("timeout"), list):
            arguments["timeout"] = tuple(arguments["timeout"])
        unknown = {name: arguments.pop(name) for name in arguments.keys() - cls.model_fields.keys()}
        if unknown:
            known = {*cls.model_fields, *cls._aliases, *cls._options}
            warn_unknown_parameters(unknown, known, destination="moved to additional_kwargs")
            arguments["additional_kwargs"] = {**unknown, **arguments.get("additional_kwargs", {})}
        return arguments

    @classmethod
    def _credential_error(cls, arguments: Mapping[str, Any]) -> UsageError | None:
        """Return the error if an unknown argument is a credential."""
        known = {*cls.model_fields, *cls._aliases, *cls._ignored, *_WITHOUT_EFFECT}
        additional = arguments.get("additional_kwargs")
        return credential_error(arguments, known=known) or (
            credential_error(additional, known=OPTIONS) if isinstance(additional, Mapping) else None
        )

    @field_validator(*_CHECKS, mode="before")
    @classmethod
    def _check_setting(cls, value: Any, info: ValidationInfo) -> Any:
        return _CHECKS[str(info.field_name)](value)

    @field_validator("proxy", mode="before")
    @classmethod
    def _check_proxy(cls, proxy: Any) -> SecretStr | None:
        proxy = to_secret(proxy)
        return check_proxy(proxy)

    @model_validator(mode="after")
    def _complete_from_environment(self) -> Self:
        """Set missing fields from the environment, and validate them together."""
        settings = self._settings()
        self.api_token, self.base_url = settings.api_token, settings.base_url
        self.max_retries, self.url_format = settings.max_retries, settings.url_format
        self._cached_settings = (_get_settings(self), settings)
        return self

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        adapter = as_rate_limiter(limiter)
        return limiter if hasattr(limiter, "async_acquire") else adapter

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a field; the next call uses it. A token that is a string becomes a secret.

        Raises:
            UsageError: The value is a token where a name is expected, or ``api_token`` is invalid.
        """
        if name in NAME_OPTIONS and (error := token_error({name: value})) is not None:
            # Error trackers record the variables of frames.
            value = None
            raise error
        super().__setattr__(name, check_token_source(value) if name == "api_token" else value)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the component, as pydantic does.

        Args:
            update: Fields to change in the copy, by their names or aliases. The next call of the
                copy uses them.
            deep: Whether to copy the values of the fields too.

        Raises:
            UsageError: A token is where a name is expected, or ``api_token`` is invalid.
        """
        named = ((self._aliases.get(name, name), value) for name, value in (update or {}).items())
        # Error trackers record the variables of frames.
        update = {
            name: to_secret(value) if name in _SECRET_FIELDS else value for name, value in named
        }
        names = {name: value for name, value in update.items() if name in NAME_OPTIONS}
        if (error := token_error(names)) is not None:
            update = names = {}
            raise error
        if "api_token" in update:
            update["api_token"] = check_token_source(update["api_token"])
        return super().model_copy(update=update, deep=deep)

    @field_serializer("timeout")
    def _serialize_timeout(self, timeout: Any) -> Any:
        if not hasattr(timeout, "as_dict"):
            return timeout
        phases = timeout.as_dict()
        return tuple(phases[phase] for phase in ("connect", "read", "write", "pool"))

    @field_serializer("verify")
    def _serialize_verify(self, verify: Any) -> Any:
        return None if isinstance(verify, ssl.SSLContext) else verify

    def close(self) -> None:
        """Close the connections of the sync methods. The component can still be used."""
        if self._cached_chat_model is not None:
            self._cached_chat_model[1].client.close()

    async def aclose(self) -> None:
        """Close the connections of the async methods in the running event loop."""
        if self._cached_chat_model is not None:
            await self._cached_chat_model[1].async_client.aclose()

    def _settings(self) -> Settings:
        """Return the settings; they are validated again if a field was assigned."""
        for field in _CLIENTS:
            check_http_client(
                getattr(self, field),
                field=field,
                is_async=field == "http_async_client",
                proxy=self.proxy,
                verify=self.verify,
            )
        values = _get_settings(self)
        if self._cached_settings is None or self._cached_settings[0] != values:
            settings = Settings.create(**dict(zip(COMPONENT_OPTIONS, values, strict=True)))
            self._cached_settings = (values, settings)
        return self._cached_settings[1]

    def _chat_model(self) -> ChatModel:
        """Return the model of the core; it is created again if a field was assigned."""
        values = _get_model_fields(self)
        if self._cached_chat_model is None or self._cached_chat_model[0] != values:
            model = ChatModel(
                self._settings(),
                http_client=self.http_client,
                http_async_client=self.http_async_client,
                rate_limiter=self.rate_limiter,
                rate_limited_by_framework=True,
            )
            self._cached_chat_model = (values, model)
        return self._cached_chat_model[1]

    # --- copies ---------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for name in _SHARED:
            shared = getattr(self, name, None)
            memo[id(shared)] = shared
        if self._cached_chat_model is not None:
            memo[id(self._cached_chat_model)] = None
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        check_picklable(self.verify, self.api_token)
        # LlamaIndex's __getstate__ removes what cannot be pickled from the object itself.
        state = BaseModel.__getstate__(self)
        fields = {
            name: value
            for name, value in state["__dict__"].items()
            if name not in _CLIENTS and _is_picklable(name, value)
        }
        return {**state, "__dict__": fields, "__pydantic_private__": _EMPTY_PRIVATE_STATE}


_EMPTY_PRIVATE_STATE = {"_cached_chat_model": None, "_cached_settings": None}


def _is_picklable(name: str, value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - __reduce__ and __getstate__ may raise anything
        _logger.warning("%s: cannot be pickled; the pickle omits it.", name)
        return False
    return True
