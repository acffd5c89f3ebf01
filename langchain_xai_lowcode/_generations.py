"""Our replies and stream events as LangChain's generations of plain text."""

from collections.abc import Sequence
from typing import Any

from langchain_core.outputs import Generation, GenerationChunk, LLMResult

from xai_lowcode.types.events import (
    ChoiceFinished,
    CitationAdded,
    ReasoningDelta,
    ResponseStarted,
    StreamEvent,
    TextDelta,
    UsageReported,
)
from xai_lowcode.types.responses import ChatResponse, Choice, Usage


def to_llm_result(replies: Sequence[ChatResponse], *, with_headers: bool) -> LLMResult:
    """The replies to several prompts as one result: a list of generations for each prompt."""
    usages = [reply.usage for reply in replies if reply.usage is not None]
    output: dict[str, Any] = {"model_name": replies[0].model} if replies else {}
    if usages:
        output |= _spent(usages)
    if with_headers:
        output["headers"] = [dict(reply.headers) for reply in replies]
    return LLMResult(
        generations=[[_to_generation(reply, c) for c in reply.choices] for reply in replies],
        llm_output=output,
    )


def _to_generation(reply: ChatResponse, choice: Choice) -> Generation:
    info = _info(
        reply.model,
        choice.finish_reason,
        choice.reasoning,
        [citation.url for citation in reply.citations],
    )
    if choice.logprobs:
        info["logprobs"] = {"content": list(choice.logprobs)}
    return Generation(text=choice.text, generation_info=info)


def _info(model: str, finish: str, reasoning: str, citations: list[str]) -> dict[str, Any]:
    facts = {
        "model_name": model,
        "finish_reason": finish,
        "reasoning_content": reasoning,
        "citations": citations,
    }
    return {name: fact for name, fact in facts.items() if fact}


def _spent(usages: Sequence[Usage]) -> dict[str, Any]:
    """Usage under the names that LangChain's counters read; reasoning counts as completion."""
    spent: dict[str, Any] = {
        "token_usage": {
            "prompt_tokens": sum(usage.input_tokens for usage in usages),
            "completion_tokens": sum(usage.output_tokens for usage in usages),
            "total_tokens": sum(usage.total_tokens for usage in usages),
        }
    }
    costs = [usage.cost_usd for usage in usages if usage.cost_usd is not None]
    return {**spent, "cost_usd": sum(costs)} if costs else spent


class GenerationMaker:
    """Turns the events of one stream into chunks; ``last`` makes the closing one."""

    def __init__(self) -> None:
        self._model = self._finish = ""
        self._reasoning: list[str] = []
        self._citations: list[str] = []
        self._usage: Usage | None = None

    def feed(self, event: StreamEvent) -> GenerationChunk | None:
        """The chunk of an event; None if what it says belongs into the last one."""
        match event:
            case TextDelta():
                logprobs = {"logprobs": {"content": list(event.logprobs)}}
                info = logprobs if event.logprobs else None
                return GenerationChunk(text=event.text, generation_info=info)
            case ResponseStarted():
                self._model = event.model
            case ReasoningDelta():
                self._reasoning.append(event.text)
            case CitationAdded():
                self._citations.append(event.citation.url)
            case ChoiceFinished():
                self._finish = event.reason
            case UsageReported():
                self._usage = event.usage
        return None

    def last(self) -> GenerationChunk:
        """The chunk with all that is certain only at the end, usage included."""
        info = _info(self._model, self._finish, "".join(self._reasoning), self._citations)
        if self._usage is not None:
            info |= _spent([self._usage])
        return GenerationChunk(text="", generation_info=info)
