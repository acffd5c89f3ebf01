"""The fields that all components share: token, address, timeouts, retries."""

import warnings
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
    field_validator,
    model_validator,
)

from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode.errors import UsageError
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.limiters import limiter_of, portable
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE, Settings, UrlFormat


class Connection(BaseModel):
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
    """Seconds for each phase of a request: a number, a tuple or an ``httpx.Timeout``.

    Default: 10 to connect, 60 to write, 1200 to read, since a gateway may send nothing until the
    answer is complete.
    """

    deadline: float | None = None
    """Seconds for a whole call with all its attempts; default: no limit."""

    max_retries: int = 2
    """How often a failed request is made again; 0 means one request."""

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
    """An ``httpx.Client`` to use instead of an own one; left out of pickles."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` to use instead of own ones; left out of pickles."""

    # Whether LangChain itself asks the rate limiter once for each call.
    _limited_by_langchain: ClassVar[bool] = False

    _gateway: GatewayModel = PrivateAttr()

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        with langchain_errors():
            known = limiter_of(limiter)
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
                url_format=self.url_format,
                allow_insecure_http=self.allow_insecure_http,
            )
            self._gateway = GatewayModel(
                settings,
                http_client=self.http_client,
                http_async_client=self.http_async_client,
                rate_limiter=self.rate_limiter,
                paid=self._limited_by_langchain,
            )
        return self

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The secret field and the environment variable that stands for it in dumps."""
        return {"api_token": TOKEN_VARIABLE}

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
        # A limiter of its own would let the copy send as much again.
        return super().__deepcopy__({**(memo or {}), id(self.rate_limiter): self.rate_limiter})

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        surroundings = {
            "http_client": None,
            "http_async_client": None,
            "rate_limiter": portable(self.rate_limiter),
        }
        return {**state, "__dict__": {**state["__dict__"], **surroundings}}


# Arguments of LangChain's other models. As unknown options they would go into the request's body,
# and what keys they hold into prints and dumps.
_ELSEWHERE = {
    "xai_api_key": "the key stays in the LowCodeAPI account; give its token as api_token.",
    "openai_api_key": "give the token of the LowCodeAPI account as api_token.",
    "xai_api_base": "give the gateway's address as base_url.",
    "openai_api_base": "give the gateway's address as base_url.",
    "default_query": "the gateway takes no parameters but its token; give it as api_token.",
    "default_headers": "the gateway passes no headers on to xAI.",
    "openai_proxy": "name the proxy in the environment, or in an http_client.",
    "http_socket_options": "set them in an http_client.",
    **dict.fromkeys(
        ("client", "async_client", "root_client", "root_async_client"),
        "give an http_client or http_async_client.",
    ),
    "stream_chunk_timeout": "the time to read of timeout does this.",
    "tiktoken_model_name": "tokens are counted by xAI's own tokenizer.",
    "disabled_params": "what a model refuses is left out by itself.",
}


class WithModelKwargs(Connection):
    """A connection with a model behind it, which may know options that have no field here."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further options; members of the request body if they are unknown here."""

    @model_validator(mode="before")
    @classmethod
    def _collect_unknown(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        known = set(cls.model_fields)
        for field in cls.model_fields.values():
            if isinstance(field.validation_alias, AliasChoices):
                known.update(str(choice) for choice in field.validation_alias.choices)
        unknown = {name: values[name] for name in values.keys() - known}
        if not unknown:
            return values
        for name in _ELSEWHERE.keys() & unknown.keys():
            with langchain_errors():
                raise UsageError(f"{name}: {_ELSEWHERE[name]}", field=name)
        warnings.warn(
            f"{', '.join(sorted(unknown))}: no field of {cls.__name__}, so put into model_kwargs.",
            stacklevel=4,
        )
        kept = {name: value for name, value in values.items() if name in known}
        return {**kept, "model_kwargs": {**unknown, **(values.get("model_kwargs") or {})}}
