"""``xai-lowcode chat``: one question, and the answer as it comes."""

import sys
from contextlib import closing
from typing import Annotated, Any

import typer

from xai_lowcode.chat.accumulator import ResponseAccumulator
from xai_lowcode.chat.model import ChatModel
from xai_lowcode.chat.profiles import DEFAULT_MODEL
from xai_lowcode.cli.console import client_options, echo_err, write, write_json
from xai_lowcode.errors import UsageError
from xai_lowcode.types.events import TextDelta
from xai_lowcode.types.messages import Message, TextPart
from xai_lowcode.types.requests import ChatRequest
from xai_lowcode.types.responses import ChatResponse, Usage


def chat(
    context: typer.Context,
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[str, typer.Option(help="Name of the model.")] = DEFAULT_MODEL,
    system: Annotated[str | None, typer.Option(help="How the model is to behave.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print text, usage and cost as JSON.")
    ] = False,
) -> None:
    """Ask one question and print the answer as it comes; usage and cost go to standard error."""
    settings = client_options(context)
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        raise UsageError("prompt: there is nothing to ask.", field="prompt")
    asked = [Message("system", (TextPart(system),))] if system else []
    asked.append(Message("user", (TextPart(text),)))
    gateway = ChatModel(settings)
    with closing(gateway.client):
        request = ChatRequest(model=model, messages=tuple(asked))
        reply = _to_document(gateway, request, aloud=not as_json)
    if as_json:
        write_json(_document(reply))
    elif reply.usage is not None:
        echo_err(_cost_line(reply.model or model, reply.usage), style="dim")


def _to_document(gateway: ChatModel, request: ChatRequest, *, aloud: bool) -> ChatResponse:
    assembler, begun = ResponseAccumulator(), False
    try:
        with closing(gateway.stream(request)) as events:
            for event in events:
                assembler.add(event)
                if aloud and isinstance(event, TextDelta):
                    begun = True
                    write(event.text, end="")
    finally:
        # Also after an interruption: what is said next begins on a line of its own.
        if begun:
            write("")
    return assembler.reply()


def _document(reply: ChatResponse) -> dict[str, Any]:
    usage = reply.usage
    return {
        "text": reply.text,
        "reasoning": reply.reasoning or None,
        "model": reply.model,
        "finish_reason": reply.finish_reason,
        "citations": [citation.url for citation in reply.citations],
        "usage": usage
        and {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "total_tokens": usage.total_tokens,
            "cached_input_tokens": usage.cached_input_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "cost_usd": usage and usage.cost_usd,
    }


def _cost_line(model: str, usage: Usage) -> str:
    thought = f" ({usage.reasoning_tokens} of them thought)" if usage.reasoning_tokens else ""
    cost = "" if usage.cost_usd is None else f", ${usage.cost_usd:.6f}"
    return f"{model}: {usage.input_tokens} tokens in, {usage.output_tokens} out{thought}{cost}"
