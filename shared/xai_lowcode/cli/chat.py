"""``xai-lowcode chat``: send a prompt, or have a conversation; responses are streamed."""

import codecs
import sys
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.image_editing import read_image
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.cli.console import (
    JsonOption,
    echo,
    echo_err,
    echo_json,
    format_examples,
    load_settings,
)
from xai_lowcode.cli.errors import report_error
from xai_lowcode.errors import UsageError, XAILowCodeError
from xai_lowcode.types.events import RefusalDelta, TextDelta
from xai_lowcode.types.messages import ImagePart, Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, Usage

EXAMPLES = format_examples(
    "xai-lowcode chat",
    'xai-lowcode chat "Why is the sky blue?"',
    'cat report.txt | xai-lowcode chat "Summarize this text."',
    'xai-lowcode chat -m grok-4.3 -i fox.png "Describe this image."',
)

_Prompt = Annotated[
    str | None,
    typer.Argument(
        help="The prompt. Standard input that is not a terminal precedes it; - reads standard"
        " input only. Without a prompt, a terminal starts a conversation."
    ),
]
_Model = Annotated[str, typer.Option("--model", "-m", help="Name of the model.")]
_System = Annotated[
    str | None, typer.Option("--system", "-s", help="System prompt; default: none.")
]
_Images = Annotated[
    list[str] | None,
    typer.Option(
        "--image", "-i", metavar="<path or URL>", help="Image to send with the prompt; repeatable."
    ),
]
_Temperature = Annotated[
    float | None,
    typer.Option("--temperature", "-t", help="Sampling temperature, 0 to 2; default: xAI's."),
]
_MaxTokens = Annotated[
    int | None,
    typer.Option(help="Maximum number of output tokens, without reasoning; default: xAI's."),
]
_BuildRequest = Callable[..., ChatRequest]


def chat(
    context: typer.Context,
    *,
    prompt: _Prompt = None,
    model: _Model = DEFAULT_MODEL,
    system: _System = None,
    images: _Images = None,
    temperature: _Temperature = None,
    max_tokens: _MaxTokens = None,
    as_json: JsonOption = False,
) -> None:
    """Send a prompt and stream the response, or start a conversation.

    Token usage and cost go to standard error.
    """
    settings = load_settings(context)
    build = partial(ChatRequest, model=model, temperature=temperature, max_tokens=max_tokens)
    history = [Message.from_text("system", system)] if system else []
    image_parts = [read_image(source, "--image") for source in images or ()]
    chat_model = ChatModel(settings)
    with closing(chat_model.client):
        if prompt is None and sys.stdin.isatty():
            if as_json:
                raise UsageError("--json: needs a prompt.", field="json")
            # Invalid options are reported before the first prompt.
            build(messages=[Message.from_text("user", "Hello")])
            _converse(chat_model, build, history, image_parts)
            return
        text = _read_prompt(prompt)
        request = build(messages=[*history, Message("user", (*image_parts, TextPart(text)))])
        response = _stream(chat_model, request, ResponseAccumulator(), print_text=not as_json)
    if as_json:
        echo_json(_to_dict(response))
    else:
        _print_usage(response, model)


def _read_prompt(argument: str | None) -> str:
    """Return standard input, if it is not a terminal, and the argument, after an empty line."""
    texts = [argument] if argument and argument != "-" else []
    if argument == "-" or not sys.stdin.isatty():
        texts.insert(0, _decode(sys.stdin.buffer.read()).rstrip("\n"))
    prompt = "\n\n".join(text for text in texts if text.strip())
    if not prompt:
        raise UsageError("prompt: must not be empty.", field="prompt")
    return prompt


def _decode(content: bytes) -> str:
    """Return the text of standard input: in UTF-8, else in the encoding of the system.

    Windows has another one for pipes, in which UTF-8 can be read without an error as other text;
    its PowerShell writes files in UTF-16.

    Raises:
        UsageError: It is no text.
    """
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", sys.stdin.encoding):
        with suppress(UnicodeDecodeError):
            return content.decode(encoding).replace("\r\n", "\n")
    raise UsageError(
        f"prompt: standard input is not text in {encoding}.",
        field="prompt",
        hint="Send an image with --image.",
    )


def _converse(
    chat_model: ChatModel,
    build: _BuildRequest,
    history: Sequence[Message],
    images: Sequence[ImagePart],
) -> None:
    """Read prompts from the terminal and stream the responses, until the input ends.

    An interrupted response is kept as far as it was received. A turn that failed is not kept. The
    images belong to the first turn that is.
    """
    with suppress(ImportError):  # not on Windows
        import readline  # noqa: F401, PLC0415 - input() then edits lines and recalls earlier ones
    echo_err("ctrl-C ends a response, ctrl-D or exit the conversation.", style="dim")
    while (prompt := _ask_prompt()) is not None:
        turn = [*history, Message("user", (*images, TextPart(prompt)))]
        request, accumulator = build(messages=turn), ResponseAccumulator()
        try:
            response = _stream(chat_model, request, accumulator)
            _print_usage(response, request.model)
            message = response.choices[0].message
        except KeyboardInterrupt:
            text = accumulator.build_response().text
            if not text:
                echo_err("")
                continue
            message = Message.from_text("assistant", text)
        except XAILowCodeError as error:
            report_error(error)
            continue
        history, images = [*turn, message], ()


def _ask_prompt() -> str | None:
    """Read a prompt from the terminal; None at the end of the conversation."""
    while True:
        try:
            if sys.stdout.isatty():
                line = input(">>> ")
            else:
                echo_err(">>> ", end="")
                line = input()
        except EOFError:
            echo_err("")
            return None
        except (KeyboardInterrupt, UnicodeDecodeError):
            echo_err("")
            continue
        if line.strip() in {"exit", "quit"}:
            return None
        if line.strip():
            return line


def _stream(
    chat_model: ChatModel,
    request: ChatRequest,
    accumulator: ResponseAccumulator,
    *,
    print_text: bool = True,
) -> ChatResponse:
    text = ""
    try:
        with closing(chat_model.stream(request)) as events:
            for event in events:
                accumulator.add(event)
                if print_text and isinstance(event, TextDelta | RefusalDelta) and event.text:
                    text = event.text
                    echo(text, end="")
    finally:
        # Also after an interruption: the next message begins on its own line.
        if text and not text.endswith("\n"):
            echo("")
    return accumulator.build_response()


def _print_usage(response: ChatResponse, model: str) -> None:
    if response.finish_reason == "length":
        echo_err("The response is truncated at --max-tokens or the model's limit.", style="yellow")
    if response.usage is not None:
        echo_err(_format_usage(response.model or model, response.usage), style="dim")


def _to_dict(response: ChatResponse) -> dict[str, Any]:
    usage = response.usage
    return {
        "text": response.text,
        "refusal": response.choices[0].refusal,
        "reasoning": response.reasoning or None,
        "model": response.model,
        "finish_reason": response.finish_reason,
        "citations": [citation.url for citation in response.citations],
        "usage": usage and {k: v for k, v in asdict(usage).items() if k != "cost_ticks"},
        "cost_usd": usage and usage.cost_usd,
    }


def _format_usage(model: str, usage: Usage) -> str:
    reasoning = f" ({usage.reasoning_tokens} reasoning)" if usage.reasoning_tokens else ""
    cost = "" if usage.cost_usd is None else f", ${usage.cost_usd:.6f}"
    tokens = f"{usage.input_tokens} input tokens, {usage.output_tokens} output tokens"
    return f"{model}: {tokens}{reasoning}{cost}"
