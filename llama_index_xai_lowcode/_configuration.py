"""What a user configures on the model, and how it is shown.

Nothing here asks the model anything; that is ``llms``' business.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ClassVar

from llama_index.core.base.llms.types import LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import Field, field_serializer, field_validator

from llama_index_xai_lowcode._client_fields import ClientFields
from llama_index_xai_lowcode._tools import to_server_tool
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.chat.openai_format import render_tool
from xai_lowcode.chat.profiles import DEFAULT_MODEL, get_profile
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import OPTIONS, ServerTool

_OPTIONS = (
    "temperature",
    "max_tokens",
    "reasoning_effort",
    "logprobs",
    "top_logprobs",
    "api",
    "store",
    "include",
    "use_previous_response_id",
)
# With these xAI reaches another service in the user's name; see ``mcp``.
_CREDENTIALS = frozenset({"authorization", "headers"})


# Methods that take options as keyword arguments, and those that take them as ``llm_kwargs``.
_WITH_OPTIONS = frozenset(
    {
        *("chat", "achat", "stream_chat", "astream_chat"),
        *("complete", "acomplete", "stream_complete", "astream_complete"),
        *("predict_and_call", "apredict_and_call", "_prepare_chat_with_tools"),
    }
)
_WITH_LLM_KWARGS = frozenset(
    {
        *("structured_predict", "astructured_predict"),
        *("stream_structured_predict", "astream_structured_predict"),
    }
)
_PLACE_OF_LLM_KWARGS = 2
# Arguments of these methods that are no unknown options, whatever they hold.
_KNOWN = OPTIONS | {
    *("model", "deferred", "messages", "prompt", "formatted", "user_msg", "chat_history"),
}


class Configured(ClientFields, FunctionCallingLLM):
    """The fields of the model and what follows from them alone."""

    _aliases: ClassVar[dict[str, str]] = {**ClientFields._aliases, "max_new_tokens": "max_tokens"}  # noqa: SLF001 - the base's own
    # Arguments of llama-index-llms-openai-like that are settled here: Grok chats, connections are
    # always kept, schemas are always strict.
    _settled: ClassVar[frozenset[str]] = frozenset(
        {"class_name", "is_chat_model", "reuse_client", "strict", "tokenizer"}
    )

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

    api: str = Field(
        default="auto",
        description="The wire form: 'auto', 'chat_completions', 'responses' or 'messages'.",
    )
    server_tools: list[Any] = Field(
        default_factory=list,
        description="Tools that xAI runs itself, in every call. Dumps omit keys of MCP servers.",
    )
    store: bool | None = Field(
        default=None, description="Whether xAI keeps responses; None for its default, to keep them."
    )
    include: list[str] | None = Field(
        default=None, description="What else is told, such as 'reasoning.encrypted_content'."
    )
    use_previous_response_id: bool | None = Field(
        default=None,
        description="Whether only what follows the last stored response is sent, with its id.",
    )
    deferred: Any = Field(
        default=False,
        exclude=True,
        description="Whether answers are deferred: True, or a PollingOptions that says how to wait.",
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # LlamaIndex puts its spans around the methods here; credentials are refused before them.
        super().__init_subclass__(**kwargs)
        for name in _WITH_OPTIONS | _WITH_LLM_KWARGS:
            method = inspect.getattr_static(cls, name)
            abstract = getattr(method, "__isabstractmethod__", False)
            if not abstract and not hasattr(method, "refuses_credentials"):
                setattr(cls, name, _refusing_credentials(name, method))

    def _credential_error_of_call(self, options: Any) -> UsageError | None:
        """The error if a call with these options would take a credential along."""
        given = options if isinstance(options, Mapping) else {}
        return credential_error(given, known=_KNOWN) or credential_error(
            self.additional_kwargs, known=_KNOWN
        )

    @field_validator("server_tools", mode="before")
    @classmethod
    def _read_server_tools(cls, given: Any) -> list[ServerTool]:
        tools = [(tool, to_server_tool(tool)) for tool in given]
        for tool, read in tools:
            if read is None:
                raise UsageError(
                    f"server_tools: a {type(tool).__name__} is no tool that xAI runs.",
                    field="server_tools",
                    hint="Use web_search(), x_search(), code_execution() and the like.",
                )
        return [read for _, read in tools if read is not None]

    @field_serializer("server_tools")
    def _plain_server_tools(self, tools: list[ServerTool]) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in render_tool(tool).items() if name not in _CREDENTIALS}
            for tool in tools
        ]

    @classmethod
    def class_name(cls) -> str:
        """The name in stored models and events."""
        return "XAILowCode"

    @property
    def metadata(self) -> LLMMetadata:
        """What LlamaIndex plans with: window, output limit, abilities."""
        return LLMMetadata(
            context_window=self.context_window or get_profile(self.model).context_window,
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
        return {
            "class_name": self.class_name(),
            **self.metadata.model_dump(),
            **self._options(),
            **({"server_tools": [t.type for t in self.server_tools]} if self.server_tools else {}),
        }

    def cleans_schemas(self, wishes: Mapping[str, Any]) -> bool:
        """Whether a call with these options has its JSON schemas brought to what xAI takes."""
        return {**self.additional_kwargs, **wishes}.get("clean_schemas") is not False

    def takes_schemas(self, wishes: Mapping[str, Any]) -> bool:
        """Whether the wire form of a call with these options has a place for a JSON schema."""
        form = {"api": self.api, **self.additional_kwargs, **wishes}["api"]
        return form not in {"messages", "completions"}

    def _options(self) -> dict[str, Any]:
        """The options of requests that are fields and set."""
        values = {name: getattr(self, name) for name in _OPTIONS}
        return {name: value for name, value in values.items() if value is not None}


def _refusing_credentials(name: str, method: Any) -> Callable[..., Any]:
    """A method that refuses credentials among its options before a span or an event has them."""

    def options_of(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name not in _WITH_LLM_KWARGS:
            return kwargs
        # The other keyword arguments are values for the prompt.
        place = _PLACE_OF_LLM_KWARGS
        return args[place] if len(args) > place else kwargs.get("llm_kwargs")

    @wraps(method)
    def refusing(self: Configured, /, *args: Any, **kwargs: Any) -> Any:
        refusal = self._credential_error_of_call(options_of(args, kwargs))
        if refusal is not None:
            # What reports errors shows the variables of frames.
            args, kwargs = (), {}
            raise refusal
        return method.__get__(self, type(self))(*args, **kwargs)

    @wraps(method)
    async def arefusing(self: Configured, /, *args: Any, **kwargs: Any) -> Any:
        refusal = self._credential_error_of_call(options_of(args, kwargs))
        if refusal is not None:
            args, kwargs = (), {}
            raise refusal
        return await method.__get__(self, type(self))(*args, **kwargs)

    made: Callable[..., Any] = arefusing if inspect.iscoroutinefunction(method) else refusing
    vars(made)["refuses_credentials"] = True
    return made
