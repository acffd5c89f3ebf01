"""What a user configures on the model, how it is stored, copied and shown, and its connection.

Nothing here asks the model anything; that is ``llms``' business.
"""

import logging
import pickle
import warnings
from typing import Any, Self

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_serializer,
    model_validator,
)

from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.profiles import profile_of
from xai_lowcode.settings import Settings

_logger = logging.getLogger(__name__)

DEFAULT_MODEL = "grok-4.7"

_ALIASES = {"api_key": "api_token", "api_base": "base_url"}
_OPTIONS = ("temperature", "max_tokens", "reasoning_effort", "logprobs", "top_logprobs")
_SETTINGS = (
    "api_token",
    "base_url",
    "allow_insecure_http",
    "timeout",
    "deadline",
    "max_retries",
    "url_format",
)
# These belong to the surroundings of a model: copies share them, pickles go without the clients.
_CLIENTS = ("http_client", "async_http_client")
_SHARED = (*_CLIENTS, "callback_manager", "rate_limiter")
# Arguments of llama-index-llms-openai-like that are settled here: Grok chats, connections are
# always kept, schemas are always strict.
_SETTLED = frozenset({"class_name", "is_chat_model", "reuse_client", "strict", "tokenizer"})
_WITHOUT_EFFECT = frozenset({"default_headers", "api_version"})


class Configured(FunctionCallingLLM):
    """The fields of the model and what follows from them alone."""

    # Errors of validation must not repeat their input, which may hold the token.
    model_config = ConfigDict(hide_input_in_errors=True, arbitrary_types_allowed=True)

    model: str = Field(default=DEFAULT_MODEL, description="Name of the model; any name is sent.")
    temperature: float | None = Field(
        default=None, ge=0, le=2, description="Randomness, 0 to 2; None for the model's default."
    )
    max_tokens: int | None = Field(
        default=None, gt=0, description="Limit of visible tokens; reasoning does not count."
    )
    reasoning_effort: str | None = Field(
        default=None, description="How long to think: 'low', 'high' and what else the model knows."
    )
    logprobs: bool | None = Field(
        default=None, description="Whether to return probabilities of tokens."
    )
    top_logprobs: int | None = Field(
        default=None, ge=0, le=8, description="Number of alternatives for each token, 0 to 8."
    )
    additional_kwargs: dict[str, Any] = Field(
        default_factory=dict,
        description="Further options, and further members of the request body.",
    )
    context_window: int | None = Field(
        default=None, gt=0, description="Tokens that fit; None for what is known of the model."
    )
    is_function_calling_model: bool = Field(
        default=True, description="Whether agents and programs may offer tools."
    )
    should_use_structured_outputs: bool = Field(
        default=True,
        description="Whether objects are asked for by a JSON schema; by a forced tool otherwise.",
    )

    deferred: Any = Field(
        default=False,
        exclude=True,
        description="Whether answers are deferred: True, or a Deferral that says how to wait.",
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
        for alias, name in _ALIASES.items():
            if alias in given:
                given.setdefault(name, given.pop(alias))
        for name in _SETTLED & given.keys():
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

    @field_serializer("timeout")
    def _plain_timeout(self, timeout: Any) -> Any:
        if not hasattr(timeout, "connect"):
            return timeout
        return timeout.connect, timeout.read, timeout.write, timeout.pool

    @classmethod
    def class_name(cls) -> str:
        """The name in stored models and events."""
        return "XAILowCode"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with: window, output limit, abilities."""
        return LLMMetadata(
            context_window=self.context_window or profile_of(self.model).context_window,
            # -1 is LlamaIndex's word for no limit; any other number is taken off the window.
            num_output=self.max_tokens or -1,
            is_chat_model=True,
            is_function_calling_model=self.is_function_calling_model,
            model_name=self.model,
            system_role=MessageRole.SYSTEM,
        )

    def to_payload(self) -> dict[str, Any]:
        """What events and traces show of the model; never a secret.

        Versions of LlamaIndex before 0.14.23 show ``to_dict`` instead, which has no secret either.
        """
        return {"class_name": self.class_name(), **self.metadata.model_dump(), **self._options()}

    def close(self) -> None:
        """Closes the connections of the sync methods; the model may be used again afterwards."""
        if self._connection is not None:
            self._connection[1].client.close()

    async def aclose(self) -> None:
        """Closes the connections that the async methods have in the running event loop."""
        if self._connection is not None:
            await self._connection[1].async_client.aclose()

    def _options(self) -> dict[str, Any]:
        """The options of requests that are fields and set."""
        values = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in values.items() if value is not None}

    def _settings(self) -> Settings:
        return Settings.create(**{name: getattr(self, name) for name in _SETTINGS})

    def _gateway(self) -> GatewayModel:
        """The connection, made on first use and again when a field it stands on was assigned."""
        basis = tuple(getattr(self, name) for name in (*_SETTINGS, *_CLIENTS))
        held = self._connection
        if held is None or held[0] != basis:
            gateway = GatewayModel(
                self._settings(),
                http_client=self.http_client,
                http_async_client=self.async_http_client,
            )
            held = self._connection = (basis, gateway)
        return held[1]

    # --- copies ---------------------------------------------------------------------------------

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        memo = {} if memo is None else memo
        for name in _SHARED:
            # LlamaIndex before 0.14.16 has no rate limiter.
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
