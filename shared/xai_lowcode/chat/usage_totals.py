"""Sums of token usage and cost over several calls, by model and by tool; both adapters use them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from xai_lowcode.types.responses import TICKS_PER_USD


@dataclass(slots=True)
class UsageTotal:
    """Usage and cost of several calls.

    Attributes:
        calls: Number of calls of models.
        input_tokens: Tokens of the prompts, cached ones included.
        output_tokens: Tokens of the outputs, reasoning included.
        cached_input_tokens: Input tokens that were read from the cache.
        reasoning_tokens: Output tokens that were used for reasoning.
        cost_ticks: Cost in 10^-10 US dollars, without calls whose cost is not known.
        calls_without_cost: Number of calls whose cost is not known. Streams that were closed,
            failed after their first chunk or were truncated at a stop sequence are among them: xAI
            reports tokens and cost at the end, which is not read. What was generated is billed.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cost_ticks: int = 0
    calls_without_cost: int = 0

    @property
    def total_tokens(self) -> int:
        """Sum of input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def cost_usd(self) -> float:
        """Cost in US dollars."""
        return self.cost_ticks / TICKS_PER_USD

    def __add__(self, other: "UsageTotal") -> "UsageTotal":
        return UsageTotal(*(getattr(self, name) + getattr(other, name) for name in self.__slots__))


@dataclass(slots=True)
class UsageTotals:
    """Usage and cost of the calls of a run. Several threads may add to it.

    Attributes:
        total: Sum of all calls.
        by_model: Sums by the model that responded.
        by_tool: Sums of the calls inside the runs of a tool, by the name of the tool; zeros for a
            tool without any. Inside a tool that calls another tool, the inner tool counts.
        tool_runs: Number of runs by the name of the tool.

    Example:
        >>> totals = UsageTotals()
        >>> usage = {"prompt_tokens": 3, "completion_tokens": 4}
        >>> totals.add_call("grok-4.7", usage, cost_usd=0.25)
        >>> totals.add_call("grok-4.7", usage, cost_usd=0.5, tool="search")
        >>> totals.total.total_tokens, totals.total.cost_usd, totals.by_tool["search"].cost_usd
        (14, 0.75, 0.5)
    """

    total: UsageTotal = field(default_factory=UsageTotal)
    by_model: dict[str, UsageTotal] = field(default_factory=dict)
    by_tool: dict[str, UsageTotal] = field(default_factory=dict)
    tool_runs: dict[str, int] = field(default_factory=dict)
    _lock: Any = field(default_factory=Lock, repr=False, compare=False)

    def add_call(
        self,
        model: str,
        token_usage: Mapping[str, Any],
        *,
        cost_usd: float | None,
        tool: str | None = None,
    ) -> None:
        """Add a call.

        Args:
            model: The model that responded.
            token_usage: Its usage, as ``Usage.to_token_usage`` returns it; empty if not known.
            cost_usd: Its cost in US dollars; None if not known.
            tool: Name of the tool inside which it was; None if there is none.
        """
        prompt = token_usage.get("prompt_tokens_details", {})
        completion = token_usage.get("completion_tokens_details", {})
        usage = UsageTotal(
            calls=1,
            input_tokens=token_usage.get("prompt_tokens", 0),
            output_tokens=token_usage.get("completion_tokens", 0),
            cached_input_tokens=prompt.get("cached_tokens", 0),
            reasoning_tokens=completion.get("reasoning_tokens", 0),
            cost_ticks=_to_ticks(cost_usd or 0),
            calls_without_cost=int(cost_usd is None),
        )
        self._add(usage, model, tool)

    def add_images(self, images: Iterable[Mapping[str, Any]], *, tool: str | None) -> None:
        """Add the images that a tool generated with one request.

        Args:
            images: What is known of each image, as ``ImageBatch.describe`` returns it.
            tool: Name of the tool.
        """
        known = list(images)
        if known:
            costs = [image["cost_usd"] for image in known if image.get("cost_usd") is not None]
            usage = UsageTotal(
                calls=1, cost_ticks=_to_ticks(sum(costs)), calls_without_cost=int(not costs)
            )
            self._add(usage, known[0].get("model", ""), tool)

    def add_tool_run(self, tool: str) -> None:
        """Add a run of a tool."""
        with self._lock:
            self.tool_runs[tool] = self.tool_runs.get(tool, 0) + 1
            self.by_tool.setdefault(tool, UsageTotal())

    def _add(self, usage: UsageTotal, model: str, tool: str | None) -> None:
        with self._lock:
            self.total += usage
            self.by_model[model] = self.by_model.get(model, UsageTotal()) + usage
            if tool is not None:
                self.by_tool[tool] = self.by_tool.get(tool, UsageTotal()) + usage


def _to_ticks(cost_usd: float) -> int:
    # A sum of ticks is exact.
    return round(cost_usd * TICKS_PER_USD)
