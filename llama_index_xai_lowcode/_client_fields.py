"""The fields that LLM and embeddings share: token, base URL, timeouts, proxy; and their copies."""

import logging
import pickle
import ssl
import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from llama_index.core.base.llms.base import BaseLLM
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

from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.validation import (
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
from xai_lowcode.settings import DEFAULT_MAX_RESPONSE_BYTES, Settings
from xai_lowcode.transport.rate_limit import as_rate_limiter
from xai_lowcode.types.requests import OPTIONS

_logger = logging.getLogger(__name__)

_SETTINGS = (
    "api_token",
    "base_url",
    "allow_insecure_http",
    "timeout",
    "deadline",
    "max_retries",
    "max_concurrency",
    "proxy",
    "verify",
    "max_response_bytes",
    "url_format",
)
_CHECKS = {
    "deadline": check_deadline,
    "max_retries": check_max_retries,
    "max_response_bytes": check_max_response_bytes,
    "verify": check_verify,
}
# These belong to the surroundings of a model: copies share them, pickles go without the clients.
_CLIENTS = ("http_client", "async_http_client")
_SHARED = (*_CLIENTS, "callback_manager", "rate_limiter", "verify")
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


class ClientFields(BaseModel):
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
        default=None, description="Seconds for a whole call, retries included."
    )
    max_retries: int | None = Field(
        default=None, description="How often a failed call is made again; 0 for never."
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
    proxy: SecretStr | None = Field(
        default=None,
        exclude=True,
        repr=False,
        description="URL of a proxy; None for that of the environment, '' for none. Not in dumps.",
    )
    verify: Any = Field(
        default=True,
        description="Path of CA certificates, or an ssl.SSLContext, which dumps do not hold;"
        " True for the default certificates, False for no verification.",
    )
    max_response_bytes: int = Field(
        default=DEFAULT_MAX_RESPONSE_BYTES,
        description="Limit of the decompressed size of one response, in bytes.",
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

    _connection: tuple[Any, ChatModel] | None = PrivateAttr(default=None)
    # What was checked last, and from which values it was made.
    _checked: tuple[Any, Settings] | None = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _arrange(cls, values: Any) -> Any:
        """Brings other names to ours; what is unknown becomes an additional keyword argument."""
        if not isinstance(values, dict):
            return values
        given = {name: value for name, value in values.items() if value is not None}
        if (refusal := cls._credential_error(given)) is not None:
            # What reports errors shows the variables of frames.
            values = given = {}
            raise refusal
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

    @classmethod
    def _credential_error(cls, given: Mapping[str, Any]) -> UsageError | None:
        """The error if an argument that is no field would take a credential along."""
        known = {*cls.model_fields, *cls._aliases, *cls._settled, *_WITHOUT_EFFECT}
        more = given.get("additional_kwargs")
        return credential_error(given, known=known) or (
            credential_error(more, known=OPTIONS) if isinstance(more, Mapping) else None
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
    def _settle(self) -> Self:
        """Takes what is missing from the environment, and refuses what cannot work."""
        settings = self._settings()
        self.api_token, self.base_url = settings.api_token, settings.base_url
        self.max_retries, self.url_format = settings.max_retries, settings.url_format
        self._checked = (self._basis(_SETTINGS), settings)
        return self

    @field_validator("rate_limiter")
    @classmethod
    def _check_rate_limiter(cls, limiter: Any) -> Any:
        known = as_rate_limiter(limiter)
        return limiter if hasattr(limiter, "async_acquire") else known

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: Any) -> Any:
        if not hasattr(timeout, "as_dict"):
            return timeout
        phases = timeout.as_dict()
        return tuple(phases[phase] for phase in ("connect", "read", "write", "pool"))

    @field_serializer("verify")
    def _plain_verify(self, verify: Any) -> Any:
        return None if isinstance(verify, ssl.SSLContext) else verify

    def close(self) -> None:
        """Closes the connections of the sync methods; the model may be used again afterwards."""
        if self._connection is not None:
            self._connection[1].client.close()

    async def aclose(self) -> None:
        """Closes the connections that the async methods have in the running event loop."""
        if self._connection is not None:
            await self._connection[1].async_client.aclose()

    def _settings(self) -> Settings:
        """The settings, checked once for the same values, so that one is warned of them once."""
        for field in _CLIENTS:
            check_http_client(
                getattr(self, field),
                field=field,
                is_async=field.startswith("async"),
                proxy=self.proxy,
                verify=self.verify,
            )
        basis = self._basis(_SETTINGS)
        if self._checked is None or self._checked[0] != basis:
            given = dict(zip(_SETTINGS, basis, strict=True))
            self._checked = (basis, Settings.create(**given))
        return self._checked[1]

    def _basis(self, names: tuple[str, ...]) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in names)

    def _gateway(self) -> ChatModel:
        """The connection, made on first use and again when a field it stands on was assigned."""
        basis = self._basis((*_SETTINGS, *_CLIENTS, "rate_limiter"))
        held = self._connection
        if held is None or held[0] != basis:
            gateway = ChatModel(
                self._settings(),
                http_client=self.http_client,
                http_async_client=self.async_http_client,
                rate_limiter=self.rate_limiter,
                rate_limited_by_framework=_LIMITED_BY_LLAMA_INDEX,
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
        check_picklable(self.verify)
        # LlamaIndex's own way removes what cannot be pickled from the living object as well.
        state = BaseModel.__getstate__(self)
        kept = {
            name: value
            for name, value in state["__dict__"].items()
            if name not in _CLIENTS and _can_be_pickled(name, value)
        }
        return {**state, "__dict__": kept, "__pydantic_private__": _NOTHING_PRIVATE}


_NOTHING_PRIVATE = {"_connection": None, "_checked": None}


def _can_be_pickled(name: str, value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - objects of any kind refuse with errors of any kind
        _logger.warning("%s cannot be pickled: the copy goes without it.", name)
        return False
    return True
