"""``xai-lowcode chat``: send one prompt and stream the response."""

import sys
from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.cli.console import JsonOption, echo, echo_err, echo_json, load_settings
from xai_lowcode.errors import UsageError
from xai_lowcode.types.events import TextDelta
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, Usage


def chat(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="The prompt; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_MODEL,
    system: Annotated[str | None, typer.Option(help="System prompt; default: none.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Send a prompt and stream the response. Token usage and cost go to standard error."""
    settings = load_settings(context)
    prompt = sys.stdin.read() if prompt == "-" else prompt
    if not prompt.strip():
        raise UsageError("prompt: must not be empty.", field="prompt")
    messages = [Message("system", (TextPart(system),))] if system else []
    messages.append(Message("user", (TextPart(prompt),)))
    chat_model = ChatModel(settings)
    with closing(chat_model.client):
        request = ChatRequest(model=model, messages=tuple(messages))
        response = _stream(chat_model, request, print_text=not as_json)
    if as_json:
        echo_json(_to_dict(response))
    elif response.usage is not None:
        echo_err(_format_usage(response.model or model, response.usage), style="dim")


def _stream(chat_model: ChatModel, request: ChatRequest, *, print_text: bool) -> ChatResponse:
    accumulator, printed = ResponseAccumulator(), False
    try:
        with closing(chat_model.stream(request)) as events:
            for event in events:
                accumulator.add(event)
                if print_text and isinstance(event, TextDelta):
                    printed = True
                    echo(event.text, end="")
    finally:
        # Also after an interruption: the next message begins on its own line.
        if printed:
            echo("")
    return accumulator.build_response()


def _to_dict(response: ChatResponse) -> dict[str, Any]:
    usage = response.usage
    return {
        "text": response.text,
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
