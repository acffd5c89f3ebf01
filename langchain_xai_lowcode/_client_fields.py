"""Fields of all components: token, base URL, timeouts, retries, proxy, certificates."""

import ssl
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import httpx
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
from xai_lowcode._internal.constructors import Unchecked, define_constructor
from xai_lowcode._internal.credentials import NAME_OPTIONS, credential_error, token_error
from xai_lowcode._internal.unknown_parameters import warn_unknown_parameters
from xai_lowcode._internal.validation import (
    TOKEN_VARIABLE,
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
    BASE_URL_VARIABLE,
    COMPONENT_OPTIONS,
    DEFAULT_MAX_RESPONSE_BYTES,
    ApiToken,
    RateLimiter,
    Settings,
    Timeout,
    UrlFormat,
    Verify,
)
from xai_lowcode.transport.rate_limit import as_rate_limiter, picklable_or_none
from xai_lowcode.types.requests import OPTIONS

if TYPE_CHECKING:
    from dataclasses import InitVar

_CHECKS = {
    "api_token": check_token_source,
    "deadline": check_deadline,
    "max_retries": check_max_retries,
    "max_response_bytes": check_max_response_bytes,
    "verify": check_verify,
}
_CLIENT_FIELDS = frozenset(COMPONENT_OPTIONS) | {"http_client", "http_async_client", "rate_limiter"}
# Deep copies share these objects: clients, handlers and caches have locks and connections, and the
# copy of a rate limiter would double the rate.
_SHARED_FIELDS = (
    *("http_client", "http_async_client", "rate_limiter", "verify"),
    *("callbacks", "cache"),
)
_SECRET_FIELDS = frozenset({"api_token", "proxy"})


# Unsupported arguments of LangChain's other chat models, and what to use instead. Other unknown
# arguments become model_kwargs; ``credential_error`` refuses those that hold credentials.
FOREIGN_ARGS = {
    "xai_api_key": "the key is in the LowCodeAPI account. Pass the account's token as api_token.",
    "xai_api_base": "not supported. Pass the gateway's base URL as base_url.",
    "openai_api_base": "not supported. Pass the gateway's base URL as base_url.",
    "default_query": "not supported. Pass the token as api_token.",
    "include_response_headers": "not an option of a call. Set it when you create the model.",
    "include_total_cost": "not an option of a call. Set it when you create the model.",
    "openai_proxy": "not supported. Pass the URL of the proxy as proxy.",
    "http_socket_options": "not supported. Set them in an http_client.",
    **dict.fromkeys(
        ("client", "async_client", "root_client", "root_async_client"),
        "not supported. Pass an httpx client as http_client or http_async_client.",
    ),
    "stream_chunk_timeout": "not supported. Set the read timeout in timeout.",
    "tiktoken_model_name": "not supported. Tokens are counted with the model's tokenizer.",
    "disabled_params": "not supported. Options that a model rejects are left out automatically.",
}


def _check_client_field(name: str, value: Any) -> Any:
    with langchain_errors():
        if name == "proxy":
            return check_proxy(to_secret(value))
        return _CHECKS[name](value) if name in _CHECKS else value


class ClientFields(BaseModel):
    """Client settings as fields of a LangChain component.

    The token is validated when the component is created. It is in no print and no dump; it is in
    pickles, so that worker processes can use the component.
    """

    # Subclasses add fields. pydantic builds the schema of a class when it is first used.
    model_config = ConfigDict(
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    api_token: Annotated[ApiToken | None, Unchecked] = Field(
        default_factory=secret_from_env(TOKEN_VARIABLE, default=None),
        validation_alias=AliasChoices("api_token", "api_key"),
        repr=False,
    )
    """Token of the LowCodeAPI account (``at_…``). Default: ``LOWCODEAPI_API_TOKEN``."""

    base_url: str | None = Field(
        default_factory=from_env(BASE_URL_VARIABLE, default=None),
        validation_alias=AliasChoices("base_url", "api_base"),
    )
    """Base URL of the gateway, which ends in ``/xai``. Default: ``LOWCODEAPI_BASE_URL``, then the
    hosted gateway."""

    timeout: Annotated[Timeout | None, Unchecked] = Field(
        default=None, validation_alias=AliasChoices("timeout", "request_timeout")
    )
    """Seconds for each phase of a request: a number, a tuple ``(connect, read, write, pool)``, in
    which None is no limit, or an ``httpx.Timeout``. Numbers are above 0 and at most 1,000,000.

    Default: 10 to connect, 60 to write, 1200 to read, since a gateway may send nothing until the
    response is complete.
    """

    deadline: float | None = None
    """Seconds for a whole call, retries included. Default: no limit."""

    max_retries: int = 2
    """Maximum number of retries of a failed request. Default: 2; 0 disables retries."""

    proxy: Annotated[SecretStr | str | None, Unchecked] = Field(
        default=None, exclude=True, repr=False
    )
    """URL of a proxy, for instance ``"http://user:password@proxy.example:3128"``. The scheme is
    ``http``, ``https``, ``socks5`` or ``socks5h``.

    Default: the environment's (``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY``, ``NO_PROXY``).
    ``""`` disables it. It is in pickles, and in no print or dump.
    """

    verify: Annotated[Verify, Unchecked] = True
    """Certificate verification: the path of a file or directory of CA certificates, or an
    ``ssl.SSLContext``, which is null in dumps and cannot be pickled.

    Default: True, which uses the default CA certificates or those of ``SSL_CERT_FILE`` and
    ``SSL_CERT_DIR``. False disables verification, with a warning.
    """

    max_response_bytes: int = DEFAULT_MAX_RESPONSE_BYTES
    """Maximum decompressed size of one response in bytes. Default: 256 MiB."""

    url_format: UrlFormat | None = None
    """URL format of the gateway: ``"new"``, ``"old"``, or ``"auto"``, which detects it. Default:
    ``LOWCODEAPI_URL_FORMAT``, then ``"auto"``."""

    max_concurrency: int | None = None
    """Maximum number of concurrent requests, of threads and tasks together. Default: no limit."""

    rate_limiter: Annotated[BaseRateLimiter | RateLimiter | None, Unchecked] = Field(
        default=None, exclude=True, repr=False
    )
    """Rate limiter that each request acquires, retries included: LangChain's ``BaseRateLimiter``,
    or any object with ``acquire()``, and ``aacquire()`` or ``async_acquire()``. Default: none.

    Copies share it. It is in pickles if it can be pickled.
    """

    allow_insecure_http: bool = False
    """Allow a ``base_url`` with plain http to another host. Default: False."""

    http_client: Annotated[httpx.Client | None, Unchecked] = Field(
        default=None, exclude=True, repr=False
    )
    """``httpx.Client`` to send requests with; not in pickles. It has its own proxy and
    certificates, so ``proxy`` and ``verify`` cannot be set together with it."""

    http_async_client: Annotated[httpx.AsyncClient | None, Unchecked] = Field(
        default=None, exclude=True, repr=False
    )
    """``httpx.AsyncClient`` for the async methods; see ``http_client``."""

    # Whether LangChain itself acquires the rate limiter once for each call.
    _rate_limited_by_langchain: ClassVar[bool] = False

    _gateway: ChatModel = PrivateAttr()

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further options. Unknown ones become keys of the request body. Default: none."""

    if TYPE_CHECKING:
        # Aliases, for type checkers.
        api_key: InitVar[ApiToken | None] = None
        api_base: InitVar[str | None] = None
        request_timeout: InitVar[Timeout | None] = None

    # Options that may be passed as arguments without being fields; they become ``model_kwargs``.
    _options: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        define_constructor(cls)

    @model_validator(mode="before")
    @classmethod
    def _check_unknown_args(cls, values: Any) -> Any:
        """Move arguments that are not fields to ``model_kwargs``; None stands for the default."""
        if not isinstance(values, dict):
            return values
        values = {name: value for name, value in values.items() if value is not None}
        names = cls._argument_names()
        unknown = values.keys() - names
        error = next(
            (
                UsageError(f"{name}: {FOREIGN_ARGS[name]}", field=name)
                for name in sorted(FOREIGN_ARGS.keys() & unknown)
            ),
            cls._credential_error(values),
        )
        if error is not None:
            # Error reporters show the variables of frames.
            values = None
            with langchain_errors():
                raise error
        if not unknown:
            return values
        warn_unknown_parameters(unknown, names | cls._options, destination="moved to model_kwargs")
        fields = {name: value for name, value in values.items() if name in names}
        moved = {name: values[name] for name in sorted(unknown)}
        return {**fields, "model_kwargs": moved | dict(values.get("model_kwargs") or {})}

    @classmethod
    def _credential_error(cls, values: Any) -> UsageError | None:
        """Return an error if an argument that is not a field is or holds a credential."""
        if not isinstance(values, dict):
            return None
        layers: tuple[tuple[Any, frozenset[str]], ...] = (
            (values, cls._argument_names()),
            (values.get("model_kwargs"), OPTIONS),
            (values.get("extra_body"), frozenset()),
        )
        errors = (
            credential_error(options, known=known, hints=FOREIGN_ARGS)
            for options, known in layers
            if isinstance(options, Mapping)
        )
        return next((error for error in errors if error is not None), None)

    @classmethod
    @cache
    def _aliases(cls) -> Mapping[str, str]:
        """Return the name of the field for each of its aliases, the name itself included."""
        return {
            str(choice): name
            for name, field in cls.model_fields.items()
            if isinstance(field.validation_alias, AliasChoices)
            for choice in field.validation_alias.choices
        }

    @classmethod
    @cache
    def _argument_names(cls) -> frozenset[str]:
        """Return the names and aliases of all fields."""
        return frozenset({*cls.model_fields, *cls._aliases()})

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

    @field_serializer("api_token", when_used="json-unless-none")
    def _serialize_token(self, _token: Any) -> str:
        return str(SecretStr("hidden"))

    @field_serializer("verify")
    def _serialize_verify(self, verify: Any) -> Any:
        return None if isinstance(verify, ssl.SSLContext) else verify

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        with langchain_errors():
            adapter = as_rate_limiter(limiter)
        return limiter if isinstance(limiter, BaseRateLimiter) else adapter

    @model_validator(mode="after")
    def _connect(self) -> Self:
        self._create_gateway()
        return self

    def _create_gateway(self) -> None:
        with langchain_errors():
            settings = Settings.create(**{name: getattr(self, name) for name in COMPONENT_OPTIONS})
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
                rate_limited_by_framework=self._rate_limited_by_langchain,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        """Assign a field. If it is a setting of the client, the client is created again.

        Raises:
            UsageError: The value is invalid, or a token where a name is expected; the field keeps
                its value.
        """
        if name.startswith("_"):
            super().__setattr__(name, value)
            return
        if name not in _CLIENT_FIELDS:
            if name in NAME_OPTIONS and (error := token_error({name: value})) is not None:
                # Error reporters show the variables of frames.
                value = None
                with langchain_errors():
                    raise error
            super().__setattr__(name, value)
        else:
            value = _check_client_field(name, value)
            previous = getattr(self, name)
            super().__setattr__(name, value)
            try:
                self._create_gateway()
            except BaseException:
                super().__setattr__(name, previous)
                raise
        self._on_change((name,))

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy the component, as pydantic does.

        Args:
            update: Fields to change in the copy, by their names or aliases. Only settings of the
                client are validated.
            deep: Whether to copy the values of the fields too.

        Raises:
            UsageError: A setting of the client is invalid, or a token is where a name is expected.
        """
        aliases = self._aliases()
        named = ((aliases.get(name, name), value) for name, value in (update or {}).items())
        # Error reporters show the variables of frames.
        update = {
            name: to_secret(value) if name in _SECRET_FIELDS else value for name, value in named
        }
        names = {name: value for name, value in update.items() if name in NAME_OPTIONS}
        if (error := token_error(names)) is not None:
            update = names = {}
            with langchain_errors():
                raise error
        for name in update.keys() & _CLIENT_FIELDS:
            update[name] = _check_client_field(name, update[name])
        copied = super().model_copy(update=update, deep=deep)
        if update.keys() & _CLIENT_FIELDS:
            copied._create_gateway()  # noqa: SLF001 - of this class
        if update:
            copied._on_change(update)  # noqa: SLF001 - the same
        return copied

    def _on_change(self, names: Collection[str]) -> None:  # noqa: ARG002 - for subclasses
        """Renew what was derived from fields that have been assigned, or updated in a copy."""
        # LangChain's cached dump, which cache keys and traces contain.
        self.__dict__.pop("_serialized", None)

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Return the secret field and the environment variable that replaces it in dumps."""
        return {"api_token": TOKEN_VARIABLE}

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Return values that replace those of fields in LangChain's dumps."""
        return {"verify": None} if isinstance(self.verify, ssl.SSLContext) else {}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Return True: LangChain can dump the component, without the token."""
        return True

    def close(self) -> None:
        """Close the connections of the sync methods. The component can be used again."""
        self._gateway.client.close()

    async def aclose(self) -> None:
        """Close the connections of the running event loop. The component can be used again."""
        await self._gateway.async_client.aclose()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        shared = [getattr(self, name, None) for name in _SHARED_FIELDS]
        return super().__deepcopy__({**(memo or {}), **{id(each): each for each in shared}})

    def __getstate__(self) -> dict[Any, Any]:
        with langchain_errors():
            check_picklable(self.verify, self.api_token)
        state = super().__getstate__()
        replaced = {
            "http_client": None,
            "http_async_client": None,
            "rate_limiter": picklable_or_none(self.rate_limiter),
        }
        return {**state, "__dict__": {**state["__dict__"], **replaced}}
