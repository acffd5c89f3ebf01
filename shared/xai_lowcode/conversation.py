"""What we ask: messages with their parts, tools, the wish for a shape, and the whole request.

Plain values without a word of any wire form or framework. Dialects render them, adapters make them.
What cannot be asked is refused when the value is made, naming the field.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from xai_lowcode.brief import Brief
from xai_lowcode.credentials import credential_error
from xai_lowcode.errors import UsageError

Role = Literal["system", "user", "assistant", "tool"]
Api = Literal["auto", "chat_completions", "completions", "messages", "responses"]
ROLES: frozenset[str] = frozenset(get_args(Role))
APIS: frozenset[str] = frozenset(get_args(Api))


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class ImagePart(Brief):
    """A picture: an address (http, https or a data URL), or the id of an uploaded file."""

    url: str | None = None
    file_id: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class FilePart(Brief):
    """A document: an address, the id of an uploaded file, or base64 data with its type and name."""

    url: str | None = None
    file_id: str | None = None
    data: str | None = None
    mime_type: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """What the model thought, as far as it shows."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A call of a tool by the model; ``arguments`` is the JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What a tool gave back."""

    call_id: str
    content: tuple[TextPart | ImagePart | FilePart, ...]


@dataclass(frozen=True, slots=True)
class ServerToolPart:
    """A tool of xAI's own that the model used: it was run there, and is not for the caller to run.

    Attributes:
        kind: The item's type on the wire, for instance ``"web_search_call"``.
        id: Its id; not unique.
        name: Name of the tool, where the kind does not say it.
        arguments: What it was asked, as JSON text or plain text.
        result: What it gave back, as far as xAI shows it: plain JSON; None where it shows nothing.
        failed: Whether xAI says that it did not work.
    """

    kind: str
    id: str = ""
    name: str = ""
    arguments: str = ""
    result: Any = field(default=None, hash=False)
    failed: bool = False


Part = (
    TextPart | ImagePart | FilePart | ReasoningPart | ToolCallPart | ToolResultPart | ServerToolPart
)


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: Who speaks.
        parts: What is said, in order.
        name: Name of the speaker; of use for users only.
        items: What the service answered, verbatim and in order (ids repeat). The dialect that gave
            them sends them back instead of the parts, encrypted reasoning included.
        form: The dialect that gave the items; another one goes by the parts.
    """

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    items: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    form: str = ""


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
            _check(name, getattr(self, name), (int, float), "a number")
        for name in _WHOLE_NUMBERS:
            _check(name, getattr(self, name), (int,), "a whole number")
        for name in _TEXTS:
            _check(name, getattr(self, name), (str,), "a text")
        if not isinstance(self.api, str) or self.api not in APIS:
            raise UsageError(
                f"api: one of {', '.join(sorted(APIS))} is needed, not {self.api!r}.", field="api"
            )
        if not _are_texts(self.stop) or not all(self.stop):
            raise UsageError("stop: a list of texts that are not empty is needed.", field="stop")
        if not _are_texts(self.include):
            raise UsageError("include: a list of texts is needed.", field="include")
        check_choice(self.tools, self.tool_choice)
        if self.extra and (refusal := credential_error(self.extra)) is not None:
            raise refusal

    def given(self, names: Iterable[str]) -> dict[str, Any]:
        """Those of the named options that are set, by name."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def _check(name: str, value: Any, kinds: tuple[type, ...], wanted: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise UsageError(f"{name}: {wanted} is needed, not {value!r}.", field=name)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name}: {value!r} is not a finite number.", field=name)


def _are_texts(value: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and all(isinstance(text, str) for text in value)
    )


def check_choice(tools: Sequence[ToolSpec], choice: ToolChoice | None) -> None:
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
