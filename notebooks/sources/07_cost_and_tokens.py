# %% [markdown]
# # Cost, tokens and reasoning
#
# A batch of questions with four efforts and three models: what was read, what came from the cache, what was
# thought, what was said, and what it cost. The emulator counts and charges by xAI's rules and price list, with a
# tokenizer of its own: the shape is right, the numbers are not Grok's.

# %%
from start import connect

emulator = connect()

# %%
import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 72
BLUE, GREY, ORANGE, GREEN = "#4c6a92", "#b8c4d6", "#d98032", "#6a9a5b"
QUESTIONS = [
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
# ## More effort, more thoughts
#
# `reasoning_effort` says how hard a model thinks. Thoughts are charged like words that are said, whether or not
# they may be read. tqdm shows the progress of the batch.

# %%
from tqdm.auto import tqdm

from langchain_xai_lowcode import ChatXAILowCode

EFFORTS = ["none", "low", "medium", "high"]


def ask_all(llm: ChatXAILowCode, label: str) -> list:
    """Asks all questions at once; gives the answers in the order of the questions."""
    coming = llm.batch_as_completed(QUESTIONS)
    answers = dict(tqdm(coming, total=len(QUESTIONS), desc=label))
    return [answers[number] for number in sorted(answers)]


by_effort = {
    effort: ask_all(ChatXAILowCode(model="grok-4.3", reasoning_effort=effort), effort)
    for effort in EFFORTS
}


def totals(answers: list) -> dict[str, float]:
    """Adds up what the answers used."""
    used = [answer.usage_metadata for answer in answers]
    cached = sum(one["input_token_details"]["cache_read"] for one in used)
    thought = sum(one["output_token_details"]["reasoning"] for one in used)
    return {
        "read": sum(one["input_tokens"] for one in used) - cached,
        "cached": cached,
        "thought": thought,
        "said": sum(one["output_tokens"] for one in used) - thought,
        "cost": sum(answer.response_metadata["cost_usd"] for answer in answers),
    }


print(f"{'effort':<8}{'read':>6}{'cached':>8}{'thought':>9}{'said':>6}{'US dollars':>13}")
for effort, answers in by_effort.items():
    used = totals(answers)
    counts = f"{used['read']:>6}{used['cached']:>8}{used['thought']:>9}{used['said']:>6}"
    print(f"{effort:<8}{counts}{used['cost']:>13.6f}")

# %%
kinds = {"read": BLUE, "cached": GREY, "thought": ORANGE, "said": GREEN}
sums = {effort: totals(answers) for effort, answers in by_effort.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
bottom = [0.0] * len(EFFORTS)
for kind, colour in kinds.items():
    heights = [sums[effort][kind] for effort in EFFORTS]
    left.bar(EFFORTS, heights, bottom=bottom, color=colour, label=kind)
    bottom = [low + high for low, high in zip(bottom, heights, strict=True)]
left.set_title("Tokens of eight questions")
left.set_xlabel("reasoning effort")
handles, labels = left.get_legend_handles_labels()
left.legend(handles[::-1], labels[::-1], frameon=False, loc="upper left")
left.set_ylim(top=max(bottom) * 1.5)
right.bar(EFFORTS, [1000 * sums[effort]["cost"] for effort in EFFORTS], color=BLUE)
right.set_title("What they cost")
right.set_xlabel("reasoning effort")
right.set_ylabel("US dollars / 1000")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# ## Models side by side
#
# The same questions to a model that does not think, to one that thinks where it can be read, and to one that
# keeps its thoughts to itself. Each dot is one question.

# %%
MODELS = {
    "grok-4.20-0309-non-reasoning": GREY,
    "grok-4.3": BLUE,
    "grok-build-0.1": ORANGE,
}
figure, axes = plt.subplots(figsize=(8, 3.8))
for (model, colour), mark in zip(MODELS.items(), "osD", strict=True):
    answers = ask_all(ChatXAILowCode(model=model), model)
    outputs = [answer.usage_metadata["output_tokens"] for answer in answers]
    costs = [1000 * answer.response_metadata["cost_usd"] for answer in answers]
    axes.scatter(outputs, costs, color=colour, marker=mark, label=model, alpha=0.85)
axes.set_xlabel("tokens thought and said")
axes.set_ylabel("US dollars / 1000")
axes.legend(frameon=False, loc="upper left")
axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# ## The cache in a conversation
#
# Each turn sends everything that was said before. xAI reads that from its cache, for a fraction of the price: the
# same in LlamaIndex, from `additional_kwargs`.

# %%
from llama_index.core.llms import ChatMessage

from llama_index_xai_lowcode import XAILowCode

llm = XAILowCode(model="grok-4.3", reasoning_effort="low")
history, fresh, cached = [], [], []
for question in QUESTIONS:
    history.append(ChatMessage(question))
    answer = llm.chat(history)
    history.append(answer.message)
    used = answer.additional_kwargs
    cached.append(used["cached_tokens"])
    fresh.append(used["prompt_tokens"] - used["cached_tokens"])
print(f"{sum(cached) / (sum(cached) + sum(fresh)):.0%} of what was read came from the cache")

# %%
turns = range(1, len(QUESTIONS) + 1)
figure, axes = plt.subplots(figsize=(8, 3.4))
axes.bar(turns, cached, color=GREY, label="from the cache")
axes.bar(turns, fresh, bottom=cached, color=BLUE, label="read anew")
axes.set_xlabel("turn")
axes.set_ylabel("tokens of the prompt")
axes.legend(frameon=False, loc="upper left")
axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# ## Before anything is asked
#
# The service's own tokenizer counts beforehand, and is asked once for each text.

# %%
model = ChatXAILowCode(model="grok-4.3")
for question in QUESTIONS:
    print(f"{model.get_num_tokens(question):>4}  {question}")
