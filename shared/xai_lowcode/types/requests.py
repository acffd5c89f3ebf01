"""How a deferred answer is waited for: a user's wish, apart from the waiting (``deferred``)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from xai_lowcode._internal.credentials import credential_error
from xai_lowcode._internal.progress import Progress, check_progress
from xai_lowcode.errors import UsageError
from xai_lowcode.types.messages import Message


@dataclass(frozen=True, slots=True)
class PollingOptions:
    """How a deferred answer is waited for.

    Attributes:
        timeout: Seconds until the answer must be there; xAI keeps it for 24 hours.
        poll_timeout: Seconds for one look. Some gateways never answer while nothing is ready; a
            finished answer must have time to arrive, since it can be fetched once.
        initial_delay: Seconds before the first look.
        max_delay: Pauses grow by half up to this; a ``Retry-After`` counts for one pause.
        progress: True shows how long it takes in notebooks and terminals; a function is called
            before each look with the number of looks so far and the seconds passed.

    Raises:
        UsageError: A duration is not positive, or ``progress`` is no such wish.
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
                raise UsageError(f"{name}: a number above 0 is needed, not {value!r}.", field=name)


def parse_polling(wish: Any) -> PollingOptions | None:
    """A user's word for it: True, False, None, or a ``PollingOptions``.

    Raises:
        UsageError: It is something else.
    """
    match wish:
        case None | False:
            return None
        case True:
            return PollingOptions()
        case PollingOptions():
            return wish
        case _:
            raise UsageError(
                f"deferred: True or a PollingOptions is needed, not {wish!r}.", field="deferred"
            )


Api = Literal["auto", "chat_completions", "messages", "responses"]


APIS: frozenset[str] = frozenset(get_args(Api))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call; ``parameters`` is a JSON schema of an object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UsageError("tools: a tool without a name.", field="tools")
        if not isinstance(self.parameters, Mapping):
            raise UsageError(
                f"tools: the parameters of {self.name!r} are not a JSON schema.", field="tools"
            )


@dataclass(frozen=True, slots=True)
class ServerTool:
    """A tool that xAI runs itself; responses alone have them.

    Attributes:
        type: ``"web_search"``, ``"x_search"``, ``"code_interpreter"``, ``"file_search"``,
            ``"mcp"``, ``"image_generation"``, or what else xAI knows.
        options: Its further members, sent as they are; not in the repr, since they may hold the
            key of another service.
    """

    type: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class NamedTool:
    """The choice of one tool by its name."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The wish for JSON: any object, or one that fits a schema.

    Attributes:
        schema: JSON schema; None for any JSON object.
        name: Name of the schema, of letters, digits, ``_`` and ``-``.
    """

    schema: Mapping[str, Any] | None = None
    name: str = "answer"


_NUMBERS = ("temperature", "top_p", "presence_penalty", "frequency_penalty")


_WHOLE_NUMBERS = ("max_tokens", "n", "seed", "top_logprobs", "max_turns")


_TEXTS = (
    "reasoning_effort",
    "user",
    "service_tier",
    "prompt_cache_key",
    "previous_response_id",
    "reasoning_summary",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One question to a model. Options that are None are not sent.

    Attributes:
        model: Name of the model; any name is sent as it is.
        messages: The conversation so far.
        tools: Tools the model may call, executed by the caller.
        tool_choice: Whether, or which, a tool must be called.
        parallel_tool_calls: Whether several calls may come at once.
        response_format: The wish for JSON.
        temperature: 0 to 2.
        top_p: 0 to 1.
        max_tokens: Limit of visible tokens; reasoning does not count.
        stop: Texts that end the answer, and are not part of it.
        n: Number of answers.
        seed: For answers as alike as possible.
        presence_penalty: -2 to 2; reasoning models refuse it.
        frequency_penalty: -2 to 2; reasoning models refuse it.
        logprobs: Whether to return probabilities of tokens.
        top_logprobs: 0 to 8 alternatives for each token.
        reasoning_effort: How long to think: ``"low"``, ``"high"`` and what else a model knows.
        user: An id of the end user, for abuse detection.
        service_tier: ``"default"`` or ``"priority"``.
        prompt_cache_key: Requests with one key share xAI's prompt cache.
        server_tools: Tools that xAI may run itself; see ``server_tools``.
        previous_response_id: A stored response that this request goes on from.
        store: Whether xAI keeps the response, for 30 days; its default is to keep it.
        include: What else is to be told, for instance ``"reasoning.encrypted_content"``.
        reasoning_summary: How thoughts are summed up: ``"auto"``, ``"concise"``, ``"detailed"``.
        max_turns: Limit of rounds with server tools.
        deferred: Whether the answer is only promised, to be fetched later.
        api: The wire form: ``"auto"``, ``"chat_completions"``, ``"messages"``, ``"responses"``, or
            ``"completions"``, which takes one text and is refused by models that reason.
        stream_usage: Whether a stream ends with its usage.
        clean_schemas: Whether the JSON schemas of tools and of the response format are brought to
            what xAI takes; see ``schemas``.
        extra: Further members of the request body, sent as they are, but for credentials; see
            ``credentials``.

    Raises:
        UsageError: A field has an impossible value, or ``extra`` holds a credential.
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
    store: bool | None = None
    include: Sequence[str] = ()
    reasoning_summary: str | None = None
    max_turns: int | None = None
    deferred: bool = False
    api: Api = "auto"
    stream_usage: bool = True
    clean_schemas: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.model, str) or not self.model.strip():
            raise UsageError("model: a name is needed, for instance 'grok-4.7'.", field="model")
        if not self.messages:
            raise UsageError("messages: there is nothing to answer.", field="messages")
        for name in _NUMBERS:
            _check_type(name, getattr(self, name), (int, float), "a number")
        for name in _WHOLE_NUMBERS:
            _check_type(name, getattr(self, name), (int,), "a whole number")
        for name in _TEXTS:
            _check_type(name, getattr(self, name), (str,), "a text")
        if not isinstance(self.api, str) or self.api not in APIS:
            raise UsageError(
                f"api: one of {', '.join(sorted(APIS))} is needed, not {self.api!r}.", field="api"
            )
        if not _is_sequence_of_str(self.stop) or not all(self.stop):
            raise UsageError("stop: a list of texts that are not empty is needed.", field="stop")
        if not _is_sequence_of_str(self.include):
            raise UsageError("include: a list of texts is needed.", field="include")
        check_tool_choice(self.tools, self.tool_choice)
        if self.extra and (refusal := credential_error(self.extra)) is not None:
            raise refusal

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the named options that are set, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _check_type(name: str, value: Any, kinds: tuple[type, ...], wanted: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise UsageError(f"{name}: {wanted} is needed, not {value!r}.", field=name)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name}: {value!r} is not a finite number.", field=name)


def _is_sequence_of_str(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(text, str) for text in value)
    )


def check_tool_choice(tools: Sequence[ToolSpec], choice: ToolChoice | None) -> None:
    """Checks that a chosen tool is among the tools.

    Raises:
        UsageError: It is not.
    """
    names = [tool.name for tool in tools]
    if isinstance(choice, NamedTool) and choice.name not in names:
        raise UsageError(
            f"tool_choice: there is no tool {choice.name!r};"
            f" the tools are {', '.join(names) or 'none'}.",
            field="tool_choice",
        )


OPTIONS = frozenset(f.name for f in fields(ChatRequest)) - {"model", "messages", "extra"}


"""Names of the options of a request, for adapters that take them as keyword arguments."""
