"""What the emulator bills, recorded where it is computed; clients do not receive it."""

from dataclasses import replace
from typing import Any

import pytest

from xai_lowcode.chat.usage_totals import UsageTotal
from xai_lowcode.emulator.fake_model import decide
from xai_lowcode.emulator.handlers import images

Bills = list[dict[str, Any]]


@pytest.fixture
def bills(monkeypatch: pytest.MonkeyPatch) -> Bills:
    """Return a list with the model and the usage of each completion from now on."""
    found: Bills = []
    compute = decide.compute_usage

    def record(body: Any, *args: Any) -> Any:
        usage = compute(body, *args)
        found.append({"model": body["model"], **usage})
        return usage

    monkeypatch.setattr(decide, "compute_usage", record)
    return found


def sum_of(bills: Bills, api: str = "") -> UsageTotal:
    """Return the sum of bills; output tokens are all tokens that are not of the prompt.

    The Messages API returns neither the cost nor the reasoning tokens.
    """
    total = UsageTotal(
        calls=len(bills),
        input_tokens=sum(bill["prompt_tokens"] for bill in bills),
        output_tokens=sum(bill["total_tokens"] - bill["prompt_tokens"] for bill in bills),
        cached_input_tokens=sum(bill["prompt_tokens_details"]["cached_tokens"] for bill in bills),
        reasoning_tokens=sum(
            bill["completion_tokens_details"]["reasoning_tokens"] for bill in bills
        ),
        cost_ticks=sum(bill["cost_in_usd_ticks"] for bill in bills),
    )
    if api == "messages":
        return replace(total, reasoning_tokens=0, cost_ticks=0, calls_without_cost=len(bills))
    return total


def image_ticks(model: str, number: int) -> int:
    """Return the price of images."""
    return number * images.models.image_price(model)
