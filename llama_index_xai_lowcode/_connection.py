"""The fields that LLM and embeddings share: token, address, timeouts, retries; and their copies."""

import logging
import pickle
import warnings
from typing import Any, ClassVar, Self

from llama_index.core.base.llms.base import BaseLLM
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_serializer,
    field_validator,
    model_validator,
)

from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.limiters import limiter_of
from xai_lowcode.settings import Settings

_logger = logging.getLogger(__name__)

_SETTINGS = (
    "api_token",
    "base_url",
    "allow_insecure_http",
    "timeout",
    "deadline",
    "max_retries",
    "max_concurrency",
    "url_format",
)
# These belong to the surroundings of a model: copies share them, pickles go without the clients.
_CLIENTS = ("http_client", "async_http_client")
_SHARED = (*_CLIENTS, "callback_manager", "rate_limiter")
# From 0.14.16 on LlamaIndex itself asks the rate limiter once for each call.
_LIMITED_BY_LLAMA_INDEX = "rate_limiter" in BaseLLM.model_fields
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


class Connected(BaseModel):
    """How to reach the gateway, as fields of a LlamaIndex component.

    The token is checked when the component is made, and appears in no print, dump or event. It is
    in its pickles, so that components can travel to worker processes.
    """

    # Errors of validation must not repeat their input, which may hold the token.
    model_config = ConfigDict(hide_input_in_errors=True, arbitrary_types_allowed=True)

    _aliases: ClassVar[dict[str, str]] = {"api_key": "api_token", "api_base": "base_url"}
    _settled: ClassVar[frozenset[str]] = frozenset({"class_name", "reuse_client"})

    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further options, and further members of the request body.",
    )
    api_token: SecretStr | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="LowCodeAPI's token (at_…); None for LOWCODEAPI_API_TOKEN. Not in dumps.",
    )
    base_url: str | None = Field(
        default=None, description="The gateway's address; None for LOWCODEAPI_BASE_URL."
    )
    allow_insecure_http: bool = Field(
        default=False, description="Whether plain http to another machine is accepted."
    )
    timeout: Any = Field(
        default=None,
        description="Seconds: a number, (connect, read, write, pool), or an httpx.Timeout.",
    )
    deadline: float | None = Field(
        default=None, gt=0, description="Seconds for a whole call, retries included."
    )
    max_retries: int | None = Field(
        default=None, ge=0, description="How often a failed call is made again; 0 for never."
    )
    max_concurrency: int | None = Field(
        default=None, description="Requests in flight at one time; None for no limit."
    )
    rate_limiter: Any = Field(
        default=None,
        exclude=True,
        repr=False,
        description="Asked before each request: has acquire(), and async_acquire() or aacquire().",
    )
    url_format: str | None = Field(
        default=None, description="The gateway's URL form: 'auto', 'new' or 'old'."
    )
    http_client: Any = Field(
        default=None, exclude=True, repr=False, description="An httpx.Client to send with."
    )
    async_http_client: Any = Field(
        default=None, exclude=True, repr=False, description="An httpx.AsyncClient to send with."
    )

    _connection: tuple[Any, GatewayModel] | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _arrange(cls, values: Any) -> Any:
        """Brings other names to ours; what is unknown becomes an additional keyword argument."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        for alias, name in cls._aliases.items():
            if alias in given:
                given.setdefault(name, given.pop(alias))
        for name in cls._settled & given.keys():
            del given[name]
        for name in sorted(_WITHOUT_EFFECT & given.keys()):
            if given.pop(name):
                warnings.warn(
                    f"{name} has no effect behind the gateway.", UserWarning, stacklevel=2
                )
        if isinstance(given.get("timeout"), list):
            given["timeout"] = tuple(given["timeout"])
        unknown = {name: given.pop(name) for name in given.keys() - cls.model_fields.keys()}
        if unknown:
            given["additional_kwargs"] = {**unknown, **given.get("additional_kwargs", {})}
        return given

    @model_validator(mode="after")
    def _settle(self) -> Self:
        """Takes what is missing from the environment, and refuses what cannot work."""
        settings = self._settings()
        self.api_token, self.base_url = settings.api_token, settings.base_url
        self.max_retries, self.url_format = settings.max_retries, settings.url_format
        return self

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        known = limiter_of(limiter)
        return limiter if hasattr(limiter, "async_acquire") else known

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: Any) -> Any:
        if not hasattr(timeout, "connect"):
            return timeout
        return timeout.connect, timeout.read, timeout.write, timeout.pool

    def close(self) -> None:
        """Closes the connections of the sync methods; the model may be used again afterwards."""
        if self._connection is not None:
            self._connection[1].client.close()

    async def aclose(self) -> None:
        """Closes the connections that the async methods have in the running event loop."""
        if self._connection is not None:
            await self._connection[1].async_client.aclose()

    def _settings(self) -> Settings:
        return Settings.create(**{name: getattr(self, name) for name in _SETTINGS})

    def _gateway(self) -> GatewayModel:
        """The connection, made on first use and again when a field it stands on was assigned."""
        basis = tuple(getattr(self, name) for name in (*_SETTINGS, *_CLIENTS, "rate_limiter"))
        held = self._connection
        if held is None or held[0] != basis:
            gateway = GatewayModel(
                self._settings(),
                http_client=self.http_client,
                http_async_client=self.async_http_client,
                rate_limiter=self.rate_limiter,
                paid=_LIMITED_BY_LLAMA_INDEX,
            )
            held = self._connection = (basis, gateway)
        return held[1]

    # --- copies ---------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for name in _SHARED:
            shared = getattr(self, name, None)
            memo[id(shared)] = shared
        if self._connection is not None:
            memo[id(self._connection)] = None
        return super().__deepcopy__(memo)

    def __getstate__(self) -> dict[Any, Any]:
        # LlamaIndex's own way removes what cannot be pickled from the living object as well.
        state = BaseModel.__getstate__(self)
        kept = {
            name: value
            for name, value in state["__dict__"].items()
            if name not in _CLIENTS and _can_be_pickled(name, value)
        }
        return {**state, "__dict__": kept, "__pydantic_private__": {"_connection": None}}


def _can_be_pickled(name: str, value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - objects of any kind refuse with errors of any kind
        _logger.warning("%s cannot be pickled: the copy goes without it.", name)
        return False
    return True
