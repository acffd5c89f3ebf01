"""What the bodies of OpenAI's family have in common: a reply's own facts, numbers, usage.

Chat completions and legacy completions are read with it.
"""

from collections.abc import Mapping
from typing import Any

from xai_lowcode.members import count_of, text_of, word_of
from xai_lowcode.reply import Usage


def read_facts(body: Mapping[str, Any]) -> dict[str, Any]:
    """What a reply says of itself, in a plain answer and in every chunk alike."""
    return {
        "id": text_of(body, "id"),
        "model": text_of(body, "model"),
        "created": count_of(body, "created"),
        "system_fingerprint": word_of(body, "system_fingerprint"),
        "service_tier": word_of(body, "service_tier"),
    }


def index_of(holder: Mapping[str, Any], name: str = "index") -> int:
    """Which of several a choice or an item is; the first where it does not say."""
    return count_of(holder, name) or 0


def read_usage(usage: Any) -> Usage | None:
    """Usage in our accounting: reasoning counts as output, the total stays the service's."""
    if not isinstance(usage, dict):
        return None
    prompt = count_of(usage, "prompt_tokens") or 0
    visible = count_of(usage, "completion_tokens") or 0
    reasoning = count_of(usage.get("completion_tokens_details"), "reasoning_tokens")
    total = count_of(usage, "total_tokens") or prompt + visible + (reasoning or 0)
    # total = prompt + completion + reasoning in every recorded body; should a body count reasoning
    # inside completion after all, total - prompt is right as well.
    output = total - prompt if total >= prompt + visible else visible + (reasoning or 0)
    return Usage(
        prompt,
        output,
        total,
        count_of(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning,
        count_of(usage, "cost_in_usd_ticks"),
    )
