# %% [markdown]
# # Token usage and cost
#
# A batch of prompts with four reasoning efforts and three models: input, cached, reasoning and output tokens,
# and cost. The emulator applies xAI's rules and price list with a tokenizer of its own: the proportions are
# realistic, the numbers are not Grok's.

# %% setup matplotlib
from xai_lowcode.notebook import connect

emulator = connect()

# %% inline
from _plotting import plt, show

# %%
PROMPTS = [
    "Say 'Ahoy!'",
    "What is fog?",
    "Name three harbours.",
    "Why do ropes have strands of different colours, and since when?",
    "How are tides foretold? Explain it to a captain who has never seen a clock.",
    "Write a poem about whales.",
    "Write a story about a lamp that nobody has lit.",
    "Write an essay about maps: who drew the first, what for, and why they were believed.",
]

# %% [markdown]
# ## Reasoning effort
#
# `reasoning_effort` controls the number of reasoning tokens. They are billed like output tokens, whether or not
# the reasoning content is returned.

# %%

from langchain_xai_lowcode import ChatXAILowCode

EFFORTS = ["none", "low", "medium", "high"]


by_effort = {
    effort: ChatXAILowCode(model="grok-4.3", reasoning_effort=effort).batch(PROMPTS)
    for effort in EFFORTS
}


def sum_usage(messages: list) -> dict[str, float]:
    """Add up token usage and cost of messages."""
    usages = [message.usage_metadata for message in messages]
    cached = sum(usage["input_token_details"]["cache_read"] for usage in usages)
    reasoning = sum(usage["output_token_details"]["reasoning"] for usage in usages)
    return {
        "input": sum(usage["input_tokens"] for usage in usages) - cached,
        "cached": cached,
        "reasoning": reasoning,
        "output": sum(usage["output_tokens"] for usage in usages) - reasoning,
        "cost": sum(message.response_metadata["cost_usd"] for message in messages),
    }


sums = {effort: sum_usage(messages) for effort, messages in by_effort.items()}
print(f"{'effort':<8}{'input':>7}{'cached':>8}{'reasoning':>11}{'output':>8}{'US dollars':>13}")
for effort, usage in sums.items():
    counts = f"{usage['input']:>7}{usage['cached']:>8}{usage['reasoning']:>11}{usage['output']:>8}"
    print(f"{effort:<8}{counts}{usage['cost']:>13.6f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8))
bottom = [0.0] * len(EFFORTS)
kinds = {
    "input": "input tokens, not cached",
    "cached": "input tokens, cached",
    "reasoning": "output tokens, reasoning",
    "output": "output tokens, text",
}
for kind, label in kinds.items():
    heights = [sums[effort][kind] for effort in EFFORTS]
    left.bar(EFFORTS, heights, bottom=bottom, label=label)
    bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
left.set_title("Token usage of eight prompts")
left.set_xlabel("reasoning_effort")
left.set_ylabel("Tokens")
left.legend(reverse=True, loc="upper left")
left.set_ylim(top=max(bottom) * 1.8)
right.bar(EFFORTS, [1000 * sums[effort]["cost"] for effort in EFFORTS])
right.set_title("Cost of eight prompts")
right.set_xlabel("reasoning_effort")
right.set_ylabel("Cost (US dollars / 1000)")
costs = ", ".join(f"{effort} {sums[effort]['cost']:.6f}" for effort in EFFORTS)
show(figure, f"Token usage and cost by reasoning effort; cost in US dollars: {costs}.")

# %% [markdown]
# ## Comparison of models
#
# The same prompts with a model without reasoning, a model that returns reasoning content, and a model that
# reasons without returning it. Each dot is one prompt.

# %%
MODELS = ["grok-4.20-0309-non-reasoning", "grok-4.3", "grok-build-0.1"]
figure, axes = plt.subplots(figsize=(8, 3.8))
for model, marker in zip(MODELS, "osD", strict=True):
    messages = ChatXAILowCode(model=model).batch(PROMPTS)
    outputs = [message.usage_metadata["output_tokens"] for message in messages]
    costs = [1000 * message.response_metadata["cost_usd"] for message in messages]
    axes.scatter(outputs, costs, marker=marker, label=model)
axes.set_title("Cost and output tokens of each prompt")
axes.set_xlabel("Output tokens (reasoning tokens included)")
axes.set_ylabel("Cost (US dollars / 1000)")
axes.legend(loc="upper left")
show(figure, "Scatter plot of cost against output tokens: one dot for each prompt and model.")

# %% [markdown]
# ## Prompt cache in a conversation
#
# Each turn sends the whole history. xAI reads it from its prompt cache, for a fraction of the price. In
# LlamaIndex the counts are in `additional_kwargs`.

# %%
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode

llm = XAILowCode(model="grok-4.3", reasoning_effort="low")
history, uncached, cached = [], [], []
for prompt in PROMPTS:
    history.append(ChatMessage(prompt))
    response = llm.chat(history)
    history.append(response.message)
    usage = response.additional_kwargs
    cached.append(usage["cached_tokens"])
    uncached.append(usage["prompt_tokens"] - usage["cached_tokens"])
print(f"{sum(cached) / (sum(cached) + sum(uncached)):.0%} of the input tokens were cached")

# %%
turns = range(1, len(PROMPTS) + 1)
figure, axes = plt.subplots(figsize=(8, 3.4))
axes.bar(turns, cached, label="cached")
axes.bar(turns, uncached, bottom=cached, label="not cached")
axes.set_title("Input tokens of a growing conversation")
axes.set_xlabel("Turn")
axes.set_ylabel("Input tokens")
axes.legend(loc="upper left")
show(
    figure,
    f"Input tokens by turn; in the last turn {cached[-1]} are cached and {uncached[-1]} are not.",
)

# %% [markdown]
# ## Count tokens before a request
#
# `get_num_tokens` uses xAI's tokenizer, with one request for each text.

# %%
model = ChatXAILowCode(model="grok-4.3")
for prompt in PROMPTS:
    print(f"{model.get_num_tokens(prompt):>4}  {prompt}")
