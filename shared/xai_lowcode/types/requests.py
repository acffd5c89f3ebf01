"""A chat request with its tools, response format and options; options of polling."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from xai_lowcode._internal.credentials import NAME_OPTIONS, credential_error, token_error
from xai_lowcode._internal.progress import Progress, check_progress
from xai_lowcode._internal.values import Value
from xai_lowcode.errors import UsageError, describe_value
from xai_lowcode.types.messages import Message, TextPart


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PollingOptions(Value):
    """How to poll for a deferred completion.

    Attributes:
        timeout: Seconds until the result must be ready; xAI keeps it for 24 hours.
        poll_timeout: Timeout of one poll in seconds. Some gateways do not respond until the result
            is ready; the result must have time to arrive, since it can be retrieved only once.
        initial_delay: Seconds before the first poll.
        max_delay: Upper limit of the delay in seconds, which grows by half after each poll. A
            ``Retry-After`` header applies to one delay.
        progress: True for a progress bar of tqdm, or a function that is called before each poll
            with the number of polls and the seconds passed.

    Raises:
        UsageError: A duration is not positive, or ``progress`` is invalid.
    """

    timeout: float = 3600.0
    poll_timeout: float = 30.0
    initial_delay: float = 1.0
    max_delay: float = 15.0
    progress: Progress = None

    def __post_init__(self) -> None:
        check_progress(self.progress)
        for name in ("timeout", "poll_timeout", "initial_delay", "max_delay"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
                raise UsageError(f"{name}: must be a number above 0, not {value!r}.", field=name)


def parse_polling(deferred: Any) -> PollingOptions | None:
    """Return the polling options of an argument ``deferred``; None if it is False or None.

    Raises:
        UsageError: It is neither a boolean nor a ``PollingOptions``.
    """
    match deferred:
        case None | False:
            return None
        case True:
            return PollingOptions()
        case PollingOptions():
            return deferred
        case _:
            raise UsageError(
                f"deferred: must be True or a PollingOptions, not {deferred!r}.", field="deferred"
            )


ReasoningSummary = Literal["auto", "concise", "detailed"]
ServiceTier = Literal["default", "priority"]
ENCRYPTED_REASONING = "reasoning.encrypted_content"
"""Value of ``include`` for reasoning items that do not refer to a stored response."""

Api = Literal["auto", "chat_completions", "messages", "responses"]

APIS: frozenset[str] = frozenset(get_args(Api))


@dataclass(slots=True, eq=False, repr=False)
class ToolSpec(Value):
    """A tool that the model may call; ``parameters`` is the JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UsageError("tools: a tool has no name.", field="tools")
        if not isinstance(self.parameters, Mapping):
            raise UsageError(
                f"tools: the parameters of {self.name!r} are not a JSON schema.", field="tools"
            )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ServerTool(Value):
    """A server-side tool, which xAI executes; supported by the Responses API only.

    Attributes:
        type: ``"web_search"``, ``"x_search"``, ``"code_interpreter"``, ``"file_search"``,
            ``"mcp"``, ``"image_generation"``, or another type that xAI supports.
        options: Its other fields, sent unchanged, except those that only OpenAI's API has; not in
            the repr, since they may contain a credential of another service.
    """

    type: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class NamedTool(Value):
    """Forces a call of the tool with this name."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ResponseFormat(Value):
    """Structured output: any JSON object, or one that matches a schema.

    Attributes:
        schema: JSON schema; None for any JSON object.
        name: Name of the schema, of letters, digits, ``_`` and ``-``.
    """

    schema: Mapping[str, Any] | None = None
    name: str = "answer"


_NUMBER_OPTIONS = ("temperature", "top_p", "min_p", "presence_penalty", "frequency_penalty")
_INTEGER_OPTIONS = ("max_tokens", "n", "seed", "top_k", "top_logprobs", "max_turns")
_STRING_OPTIONS = (
    "reasoning_effort",
    "user",
    "service_tier",
    "prompt_cache_key",
    "previous_response_id",
    "reasoning_summary",
    "safety_identifier",
)


# Lowest and highest value of options. None is no limit.
_RANGES: Mapping[str, tuple[int | None, int | None]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "max_tokens": (1, None),
    "n": (1, None),
    "top_logprobs": (0, 8),
    "max_turns": (1, None),
    "top_k": (1, None),
    "min_p": (0, 1),
}
NUMERIC_OPTIONS = (*_NUMBER_OPTIONS, *_INTEGER_OPTIONS)
"""Names of the options that ``check_number`` checks."""


def check_number(name: str, value: Any) -> Any:
    """Return the value of a numeric option; None is valid.

    Raises:
        UsageError: It has another type, or is out of range.
    """
    if name in _INTEGER_OPTIONS:
        _check_type(name, value, (int,), "an integer")
    else:
        _check_type(name, value, (int, float), "a number")
    low, high = _RANGES.get(name, (None, None))
    if value is None or ((low is None or value >= low) and (high is None or value <= high)):
        return value
    limit = f"at least {low}" if high is None else f"between {low} and {high}"
    raise UsageError(f"{name}: must be {limit}, not {describe_value(value)}.", field=name)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class ChatRequest(Value):
    """A request to a chat model. Options that are None are not sent.

    Attributes:
        model: Name of the model, sent unchanged.
        messages: The conversation.
        tools: Tools that the model may call and the caller executes.
        tool_choice: Whether a tool must be called, and which.
        parallel_tool_calls: Whether the model may call several tools at once.
        response_format: Structured output.
        temperature: Sampling temperature, 0 to 2.
        top_p: Nucleus sampling, 0 to 1.
        max_tokens: Maximum number of output tokens, without reasoning.
        stop: Stop sequences, which are not part of the output.
        n: Number of choices.
        seed: Seed for sampling that is as deterministic as possible.
        presence_penalty: -2 to 2; reasoning models reject it.
        frequency_penalty: -2 to 2; reasoning models reject it.
        logprobs: Whether to return log probabilities of tokens.
        top_logprobs: Number of alternatives for each token, 0 to 8.
        reasoning_effort: ``"low"``, ``"high"`` or another value that the model supports.
        user: An id of the end user, for abuse detection.
        service_tier: ``"default"`` or ``"priority"``.
        prompt_cache_key: Requests with the same key share xAI's prompt cache.
        server_tools: Server-side tools; see ``chat.server_tools``.
        previous_response_id: Id of the stored response that this request continues.
        stored_messages: Number of messages that this response contains. They are sent only if xAI
            does not have the response any more.
        store: Whether xAI stores the response, for 30 days. None stores it only if the request
            continues a stored response.
        use_encrypted_content: Whether a response that is not stored has its reasoning in encrypted
            form, which the next request sends back.
        include: Additional output to return, for instance ``"reasoning.encrypted_content"``.
        reasoning_summary: Summary of the reasoning: ``"auto"``, ``"concise"``, ``"detailed"``.
        max_turns: Maximum number of rounds with server-side tools.
        top_k: Number of tokens to sample from.
        min_p: Minimum probability of a token to sample, relative to the most likely one, 0 to 1.
        safety_identifier: An id of the end user, without personal data, for abuse detection.
        guidelines: Content guidelines to follow, as xAI defines them.
        no_inline_citations: Whether to leave citations out of the text.
        deferred: Whether to create a deferred completion, whose result is retrieved later.
        api: ``"auto"``, ``"chat_completions"``, ``"messages"`` or ``"responses"``.
        stream_usage: Whether a stream ends with the token usage.
        clean_schemas: Whether JSON schemas of tools and of the response format are converted to the
            form that xAI accepts; see ``json_schema``.
        extra: Additional fields of the request body, sent unchanged. Credentials are rejected.

    Raises:
        UsageError: A field has an invalid value, two tools have the same name, ``extra`` contains a
            credential, or a name or an id is one.
    """

    model: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    n: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    user: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    server_tools: Sequence[ServerTool] = ()
    previous_response_id: str | None = None
    stored_messages: int = 0
    store: bool | None = None
    use_encrypted_content: bool = True
    include: Sequence[str] = ()
    reasoning_summary: str | None = None
    max_turns: int | None = None
    top_k: int | None = None
    min_p: float | None = None
    safety_identifier: str | None = None
    guidelines: object = None
    no_inline_citations: bool | None = None
    deferred: bool = False
    api: Api = "auto"
    stream_usage: bool = True
    clean_schemas: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise UsageError(
                "model: must not be empty. Pass a model name such as 'grok-4.7'.", field="model"
            )
        if not self.messages:
            raise UsageError("messages: must not be empty.", field="messages")
        _check_content(self.messages)
        for name, value in self.given(NUMERIC_OPTIONS).items():
            check_number(name, value)
        for name, value in self.given(_STRING_OPTIONS).items():
            _check_type(name, value, (str,), "a string")
        if (error := token_error(self.given(_NAME_OPTIONS))) is not None:
            raise error
        if not isinstance(self.api, str) or self.api not in APIS:
            raise UsageError(
                f"api: must be one of {', '.join(sorted(APIS))}, not {self.api!r}.", field="api"
            )
        if not _is_sequence_of_str(self.stop) or not all(self.stop):
            raise UsageError("stop: must be a list of non-empty strings.", field="stop")
        if not _is_sequence_of_str(self.include):
            raise UsageError("include: must be a list of strings.", field="include")
        self._check_stored_messages()
        check_tool_names(self.tools)
        check_tool_choice(self.tools, self.tool_choice)
        if self.extra and (error := credential_error(self.extra)) is not None:
            raise error

    def _check_stored_messages(self) -> None:
        if self.stored_messages and not self.previous_response_id:
            raise UsageError(
                "stored_messages: requires previous_response_id.", field="stored_messages"
            )
        if not 0 <= self.stored_messages < len(self.messages):
            raise UsageError(
                "stored_messages: must be less than the number of messages.",
                field="stored_messages",
            )

    @property
    def is_stored(self) -> bool:
        """Whether xAI stores the response of this request over Responses.

        xAI's own default stores each; the other APIs store none.
        """
        return bool(self.previous_response_id) if self.store is None else self.store

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Return those of the named options that are set, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _check_content(messages: Sequence[Message]) -> None:
    """Check that messages of the user have content; xAI rejects those that do not.

    An empty response of the model is part of a conversation, and an empty system prompt says that
    there is none; dialects leave these out.
    """
    is_empty = True
    for position, message in enumerate(messages):
        if not isinstance(message, Message) or isinstance(message.parts, str):
            is_message = isinstance(message, Message)
            raise UsageError(
                f"messages[{position}]: its parts are a string, not parts."
                if is_message
                else f"messages[{position}]: a Message is needed, not a {type(message).__name__}.",
                field="messages",
                hint='For a text: Message.from_text("user", "Hello").',
            )
        if message.role == "user":
            if not has_content(message):
                raise UsageError(
                    f"messages[{position}]: a user message has no content.",
                    field="messages",
                    hint="Leave it out, or give it a text, an image or a document.",
                )
            is_empty = False
    if is_empty and not any(map(has_content, messages)):
        raise UsageError("messages: no message has content.", field="messages")


def has_content(message: Message) -> bool:
    """Return whether a message has a part that is not an empty text, or items to send back."""
    for part in message.parts:
        if not isinstance(part, TextPart) or part.text:
            return True
    return bool(message.items)


def _check_type(name: str, value: Any, kinds: tuple[type, ...], wanted: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise UsageError(f"{name}: must be {wanted}, not {value!r}.", field=name)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name}: must be a finite number, not {value!r}.", field=name)


def _is_sequence_of_str(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(text, str) for text in value)
    )


def check_tool_names(tools: Sequence[ToolSpec]) -> None:
    """Check that no two tools have the same name: a call could not be assigned to one of them.

    Raises:
        UsageError: Two have.
    """
    names: set[str] = set()
    for tool in tools:
        if tool.name in names:
            raise UsageError(
                f"tools: there are two tools with the name {tool.name!r}.", field="tools"
            )
        names.add(tool.name)


def check_tool_choice(tools: Sequence[ToolSpec], choice: ToolChoice | None) -> None:
    """Check that the tool of a ``tool_choice`` is among the tools.

    Raises:
        UsageError: It is not.
    """
    if not isinstance(choice, NamedTool):
        return
    names = [tool.name for tool in tools]
    if choice.name not in names:
        raise UsageError(
            f"tool_choice: there is no tool {choice.name!r}."
            f" The tools are {', '.join(names) or 'none'}.",
            field="tool_choice",
        )


_NO_OPTIONS = {"model", "messages", "stored_messages", "extra"}

_NAME_OPTIONS = tuple(sorted(NAME_OPTIONS & {f.name for f in fields(ChatRequest)}))

OPTIONS = frozenset(f.name for f in fields(ChatRequest)) - _NO_OPTIONS
"""Names of the options of a request, for adapters that take them as keyword arguments."""
