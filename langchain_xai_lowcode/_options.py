"""What can be set on a chat model and on its calls, and the request that comes of both.

``chat_models`` asks with it.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from pydantic import AliasChoices, Field, model_validator

from langchain_xai_lowcode._client_fields import HINTS, ModelKwargsMixin
from langchain_xai_lowcode._errors import langchain_errors
from langchain_xai_lowcode._input import to_messages
from langchain_xai_lowcode._stored import split_at_stored_response
from langchain_xai_lowcode._tools import to_response_format, to_server_tools, to_tool_specs
from xai_lowcode._internal.credentials import credential_error
from xai_lowcode.chat.openai_format import parse_tool_choice
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.errors import UsageError
from xai_lowcode.types.requests import OPTIONS, Api, ChatRequest, PollingOptions, parse_polling

# Keyword arguments of LangChain's own that reach a model and are not for the wire.
_INTERNAL = ("deferred", "ls_structured_output_format", "stream", "strict")
# Options that a request does not take as they are.
_APART = frozenset({"deferred", "stop"})
# Words for options that become others.
_WORDS = frozenset({"reasoning", "use_previous_response_id"})
# Options that are no unknown ones, whatever they hold.
_KNOWN = OPTIONS | _WORDS | {"model", *_INTERNAL}


class ChatOptions(ModelKwargsMixin):
    """The options of a chat model, as fields."""

    model: str = Field(
        default=DEFAULT_MODEL, validation_alias=AliasChoices("model", "model_name"), min_length=1
    )
    """Name of the model; any name is sent as it is."""

    temperature: float | None = None
    """0 to 2."""

    top_p: float | None = None
    """0 to 1."""

    max_tokens: int | None = Field(
        default=None, validation_alias=AliasChoices("max_tokens", "max_completion_tokens")
    )
    """Limit of visible tokens; reasoning does not count."""

    stop: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """Texts that end an answer, when a call gives none itself."""

    n: int | None = None
    """Number of answers; not for streams."""

    seed: int | None = None
    """For answers as alike as possible."""

    presence_penalty: float | None = None
    """-2 to 2; left out, with a warning, for reasoning models, which refuse it."""

    frequency_penalty: float | None = None
    """-2 to 2; left out, with a warning, for reasoning models, which refuse it."""

    logprobs: bool | None = None
    """Whether to return probabilities of tokens in ``response_metadata["logprobs"]``."""

    top_logprobs: int | None = None
    """0 to 8 alternatives for each token."""

    reasoning_effort: str | None = None
    """How long to think: ``"low"``, ``"high"`` and what else the model knows."""

    reasoning: Mapping[str, Any] | None = None
    """The same as ``{"effort": …}``; ``{"summary": "auto"}`` has thoughts summed up (responses)."""

    user: str | None = None
    """An id of the end user, for abuse detection."""

    service_tier: str | None = None
    """``"default"`` or ``"priority"``."""

    prompt_cache_key: str | None = None
    """Requests with one key share xAI's prompt cache."""

    api: Api = "auto"
    """The wire form: ``"auto"``, ``"chat_completions"``, ``"responses"`` or ``"messages"``.

    ``"auto"`` is chat completions, and responses for what only they can do: tools that xAI runs,
    stored answers, documents as data. ``use_responses_api`` is understood too.
    """

    use_previous_response_id: bool = False
    """Whether to go on from the last answer that xAI has stored, instead of sending it again.

    Only the messages after that answer are sent, over responses. Answers that were not to be stored
    (``store=False``), or that somebody has changed since, are sent as ever.
    """

    store: bool | None = None
    """Whether xAI keeps answers for 30 days (responses); its default is to keep them."""

    include: list[str] | None = None
    """What else is to be told, for instance ``["reasoning.encrypted_content"]`` (responses)."""

    max_turns: int | None = None
    """Limit of rounds with tools that xAI runs (responses)."""

    deferred: Any = False
    """Whether answers are deferred: True, or a ``xai_lowcode.PollingOptions`` that says how to wait.

    xAI then answers when it has time, and keeps the answer for 24 hours. ``stream`` gives such an
    answer in one piece.
    """

    # None, since LangChain's configurable fields set every field, and False would end streams.
    streaming: bool | None = None
    """Whether ``invoke`` streams internally; set to False, ``stream`` does not stream either."""

    stream_usage: bool = True
    """Whether a stream ends with its usage."""

    clean_schemas: bool = True
    """Whether the JSON schemas of tools and formats are brought to what xAI takes."""

    include_response_headers: bool = False
    """Whether ``response_metadata["headers"]`` holds xAI's headers, if the gateway gives them."""

    extra_body: Mapping[str, Any] | None = None
    """Further members of the request body, sent as they are; credentials are refused."""

    @model_validator(mode="before")
    @classmethod
    def _read_use_responses_api(cls, values: Any) -> Any:
        """The peers' word for ``api``."""
        if not isinstance(values, dict) or "use_responses_api" not in values:
            return values
        kept = {name: value for name, value in values.items() if name != "use_responses_api"}
        match values["use_responses_api"]:
            case True:
                return {"api": "responses", **kept}
            case False:
                return {"api": "chat_completions", **kept}
            case _:
                return kept

    @property
    def _identifying_params(self) -> dict[str, Any]:
        """What tells apart two models in caches and traces; never the token."""
        return {
            "model": self.model,
            "base_url": self._gateway.settings.base_url,
            "stop": self.stop,
            **self._set_options(),
            **self.model_kwargs,
        }

    def _set_options(self) -> dict[str, Any]:
        """Options that are set by fields; None and False say nothing."""
        options = {name: getattr(self, name) for name in OPTION_FIELDS}
        return {name: value for name, value in options.items() if value is not None}

    def _request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, call: Mapping[str, Any]
    ) -> ChatRequest:
        """The request of one call: the call's options win over model_kwargs, these over fields."""
        options: dict[str, Any] = {"model": self.model, "stop": self.stop}
        for layer in (self._set_options(), self.model_kwargs, call):
            options |= _normalize_option_names(layer)
        if stop is not None:
            options["stop"] = stop
        for name in _INTERNAL:
            options.pop(name, None)
        if options.pop("use_previous_response_id", False):
            messages = _continue_from_stored(messages, options)
        stops, tools = options.pop("stop") or (), options.pop("tools", None) or ()
        return ChatRequest(
            model=options.pop("model"),
            messages=to_messages(messages),
            tools=to_tool_specs(tools),
            server_tools=to_server_tools((*tools, *(options.pop("server_tools", None) or ()))),
            tool_choice=parse_tool_choice(options.pop("tool_choice", None)),
            response_format=to_response_format(options.pop("response_format", None)),
            stop=[stops] if isinstance(stops, str) else stops,
            include=options.pop("include", None) or (),
            **{name: options.pop(name) for name in OPTIONS & options.keys()},
            extra={**(self.extra_body or {}), **options.pop("extra_body", {}), **options},
        )

    if not TYPE_CHECKING:  # for types LangChain's own says more

        def bind(self, **kwargs: Any) -> Any:
            """Binds options to the model, as LangChain does; credentials are refused at once."""
            self._refuse_credentials(kwargs)
            return super().bind(**kwargs)

    def _refuse_credentials(self, call: dict[str, Any]) -> None:
        """Refuses options that would take a credential along, before a tracer sees them.

        Args:
            call: Keyword arguments of the caller, which it gives away: what reports errors shows
                the variables of frames, so they are cleared.

        Raises:
            UsageError: An option of the call, or of the model, is or holds a credential.
        """
        refusal = (
            credential_error(call, known=_KNOWN, hints=HINTS)
            or credential_error(self.model_kwargs, known=_KNOWN, hints=HINTS)
            or credential_error(self.extra_body or {}, hints=HINTS)
        )
        if refusal is not None:
            call.clear()
            with langchain_errors():
                raise refusal

    def _cleans(self, call: Mapping[str, Any]) -> bool:
        """Whether schemas that are bound for calls with these options are to be cleaned."""
        options = {"clean_schemas": self.clean_schemas, **self.model_kwargs, **call}
        return bool(options["clean_schemas"])

    def _deferral(self, call: Mapping[str, Any]) -> PollingOptions | None:
        return parse_polling(call.get("deferred", self.deferred))

    def _stream_request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, call: Mapping[str, Any]
    ) -> ChatRequest:
        request = self._request(messages, stop, call)
        if self._deferral(call) is not None:
            raise UsageError(
                "deferred: a stream cannot be deferred.",
                field="deferred",
                hint="Use invoke, or set deferred on the model instead of the call.",
            )
        if (request.n or 1) > 1:
            raise UsageError(
                "n: a stream gives one answer.", field="n", hint="Use invoke or generate for more."
            )
        return request


OPTION_FIELDS = tuple(
    name for name in ChatOptions.model_fields if name in (OPTIONS - _APART) | _WORDS
)
"""Fields that are options of a request."""


def _normalize_option_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options with the peers' names under ours."""
    options = dict(given)
    if "max_completion_tokens" in options:
        options["max_tokens"] = options.pop("max_completion_tokens")
    reasoning = options.pop("reasoning", None)
    if reasoning is None:
        return options
    if not isinstance(reasoning, Mapping) or not reasoning.keys() <= {"effort", "summary"}:
        raise UsageError(
            f"reasoning: a dict with 'effort' or 'summary' is needed, not {reasoning!r}.",
            field="reasoning",
        )
    wishes = {f"reasoning_{name}": wish for name, wish in reasoning.items() if wish is not None}
    return options | wishes


def _continue_from_stored(
    messages: Sequence[BaseMessage], options: dict[str, Any]
) -> Sequence[BaseMessage]:
    """The messages after the last stored answer, whose id is put into the options."""
    if options["api"] not in {"auto", "responses"}:
        raise UsageError(
            f"use_previous_response_id: {options['api']} store nothing.",
            field="use_previous_response_id",
            hint="Leave api out, or set it to 'responses'.",
        )
    options["api"] = "responses"
    if options.get("previous_response_id"):
        return messages
    stored, rest = split_at_stored_response(messages)
    if stored is not None:
        options["previous_response_id"] = stored
    return rest
