"""What can be set on a chat model and on its calls, and the request that comes of both.

``chat_models`` asks with it.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage
from pydantic import AliasChoices, Field, model_validator

from langchain_xai_lowcode._connection import Connection
from langchain_xai_lowcode._messages import to_messages
from langchain_xai_lowcode._tools import to_response_format, to_tool_specs
from xai_lowcode.conversation import OPTIONS, ChatRequest
from xai_lowcode.deferred import Deferral, deferral_of
from xai_lowcode.errors import UsageError
from xai_lowcode.openai_forms import read_tool_choice

DEFAULT_MODEL = "grok-4.7"

# Keyword arguments of LangChain's own that reach a model and are not for the wire.
_INTERNAL = ("deferred", "ls_structured_output_format", "stream", "strict")
OPTION_FIELDS = (
    "temperature",
    "top_p",
    "max_tokens",
    "n",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "reasoning_effort",
    "user",
    "service_tier",
    "prompt_cache_key",
    "stream_usage",
)


class ChatOptions(Connection):
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

    user: str | None = None
    """An id of the end user, for abuse detection."""

    service_tier: str | None = None
    """``"default"`` or ``"priority"``."""

    prompt_cache_key: str | None = None
    """Requests with one key share xAI's prompt cache."""

    deferred: Any = False
    """Whether answers are deferred: True, or a ``xai_lowcode.Deferral`` that says how to wait.

    xAI then answers when it has time, and keeps the answer for 24 hours. ``stream`` gives such an
    answer in one piece.
    """

    streaming: bool = False
    """Whether ``invoke`` streams internally; set to False, ``stream`` does not stream either."""

    stream_usage: bool = True
    """Whether a stream ends with its usage."""

    include_response_headers: bool = False
    """Whether ``response_metadata["headers"]`` holds xAI's headers, if the gateway gives them."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further options; members of the request body if they are unknown here."""

    extra_body: Mapping[str, Any] | None = None
    """Further members of the request body, sent as they are."""

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
        warnings.warn(
            f"{', '.join(sorted(unknown))}: no field of {cls.__name__}, so put into model_kwargs.",
            stacklevel=4,
        )
        kept = {name: value for name, value in values.items() if name in known}
        return {**kept, "model_kwargs": {**unknown, **(values.get("model_kwargs") or {})}}

    def _request(
        self, messages: Sequence[BaseMessage], stop: list[str] | None, call: Mapping[str, Any]
    ) -> ChatRequest:
        """The request of one call: the call's options win over model_kwargs, these over fields."""
        options = {name: getattr(self, name) for name in OPTION_FIELDS}
        options |= {"model": self.model, "stop": self.stop, **self.model_kwargs, **call}
        if stop is not None:
            options["stop"] = stop
        for name in _INTERNAL:
            options.pop(name, None)
        if "max_completion_tokens" in options:
            options["max_tokens"] = options.pop("max_completion_tokens")
        stops = options.pop("stop") or ()
        return ChatRequest(
            model=options.pop("model"),
            messages=to_messages(messages),
            tools=to_tool_specs(options.pop("tools", None) or ()),
            tool_choice=read_tool_choice(options.pop("tool_choice", None)),
            response_format=to_response_format(options.pop("response_format", None)),
            stop=[stops] if isinstance(stops, str) else stops,
            **{name: options.pop(name) for name in OPTIONS & options.keys()},
            extra={**(self.extra_body or {}), **options.pop("extra_body", {}), **options},
        )

    def _deferral(self, call: Mapping[str, Any]) -> Deferral | None:
        return deferral_of(call.get("deferred", self.deferred))

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
