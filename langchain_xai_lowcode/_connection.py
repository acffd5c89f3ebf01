"""The fields that chat models and image generators share: token, address, timeouts, retries."""

from typing import Any, Self

from langchain_core.utils import from_env, secret_from_env
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)

from langchain_xai_lowcode._errors import langchain_errors
from xai_lowcode.gateway_model import GatewayModel
from xai_lowcode.settings import BASE_URL_VARIABLE, TOKEN_VARIABLE, Settings, UrlFormat


class Connection(BaseModel):
    """How to reach the gateway, as fields of a LangChain component.

    The token is checked when the component is made, and appears in no print and no dump of it. It
    is in its pickles, so that components can travel to worker processes.
    """

    model_config = ConfigDict(
        populate_by_name=True, arbitrary_types_allowed=True, hide_input_in_errors=True
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

    allow_insecure_http: bool = False
    """Accept a ``base_url`` with plain http to another machine."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.Client`` to use instead of an own one; left out of pickles."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An ``httpx.AsyncClient`` to use instead of own ones; left out of pickles."""

    _gateway: GatewayModel = PrivateAttr()

    @model_validator(mode="after")
    def _connect_to_gateway(self) -> Self:
        with langchain_errors():
            settings = Settings.create(
                api_token=self.api_token,
                base_url=self.base_url,
                timeout=self.timeout,
                deadline=self.deadline,
                max_retries=self.max_retries,
                url_format=self.url_format,
                allow_insecure_http=self.allow_insecure_http,
            )
            self._gateway = GatewayModel(
                settings,
                http_client=self.http_client,
                http_async_client=self.http_async_client,
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

    def __getstate__(self) -> dict[Any, Any]:
        state = super().__getstate__()
        without_clients = {"http_client": None, "http_async_client": None}
        return {**state, "__dict__": {**state["__dict__"], **without_clients}}
