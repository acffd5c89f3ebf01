# %% [markdown]
# # Errors, retries and deferred completions
#
# The emulator injects errors, dropped connections, delays and interrupted streams. This notebook never uses
# Grok, with or without a token.

# %% setup matplotlib
from xai_lowcode.notebook import connect

emulator = connect(emulator_only=True)

# %% [markdown]
# ## Error classes and attributes
#
# Each error has a class, a source, whether it is transient, and a hint. With `max_retries=0` errors are raised
# without retries.

# %%
from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode import XAILowCodeError
from xai_lowcode.emulator import Drop, Empty, ErrorIn200, Html, Refuse

no_retries = ChatXAILowCode(model="grok-4.3", max_retries=0)
FAULTS = {
    "too many requests": [Refuse(429, "Slow down", retry_after=2.5)],
    "overloaded": [Refuse(503, "The service is currently unavailable")],
    "an error inside a 200": [ErrorIn200()],
    "an HTML page": [Html(502)],
    # Two faults: a request on a closed idle connection is repeated on a new one immediately.
    "dropped connection": [Drop(), Drop()],
    "an empty response": [Empty()],
    "out of credits": [Refuse(403, "Your team has used all available credits")],
    "a wrong key": [Refuse(400, "Incorrect API key provided: xai-0…0.")],
}
print(f"{'fault':<22}{'class':<24}{'source':<10}{'retryable':<11}retry_after")
for name, faults in FAULTS.items():
    emulator.inject(*faults)
    try:
        no_retries.invoke("Hello")
    except XAILowCodeError as error:
        retryable = "yes" if error.is_retryable else "no"
        kind = type(error).__name__
        print(f"{name:<22}{kind:<24}{error.source:<10}{retryable:<11}{error.retry_after or ''}")

# %% [markdown]
# Invalid parameters are rejected before anything is sent:

# %%
before = len(emulator.requests)
for invalid in ({"temperature": "hot"}, {"deferred": "later"}, {"api": "telepathy"}):
    try:
        no_retries.invoke("Hello", **invalid)
    except XAILowCodeError as error:
        print(error)
print(len(emulator.requests) - before, "requests were sent")

# %% [markdown]
# ## Retries
#
# The logger `xai_lowcode` writes a line with the outcome of each request at DEBUG. This handler records them.

# %%
import logging
import time


class OutcomeHandler(logging.Handler):
    """Record time and outcome of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Record the outcome of a request."""
        if record.levelno == logging.DEBUG:
            outcome = record.getMessage().split(": ", 1)[1]
            self.entries.append((record.created, outcome if outcome.isdecimal() else "dropped"))


outcomes = OutcomeHandler()
logger = logging.getLogger("xai_lowcode")
logger.setLevel(logging.DEBUG)
logger.addHandler(outcomes)

# %% [markdown]
# Four calls with different faults. `Retry-After` is honoured; without it, delays grow exponentially with random
# jitter.

# %%
from xai_lowcode.emulator import Stall

with_retries = ChatXAILowCode(model="grok-4.3", max_retries=4)
CALLS = {
    "no fault": [],
    "Retry-After 0.6 s": [Refuse(429, retry_after=0.6)],
    "three times 503": [Refuse(503)] * 3,
    "dropped, then slow": [Drop(), Stall(0.5)],
}
timelines = {}
for name, faults in CALLS.items():
    emulator.inject(*faults)
    outcomes.entries.clear()
    began = time.time()
    text = with_retries.invoke("Say 'Land in sight.'").text
    timelines[name] = [(moment - began, outcome) for moment, outcome in outcomes.entries]
    sequence = ", ".join(outcome for _, outcome in timelines[name])
    print(f"{name:<20} {sequence:<20} {text}")

# %% inline
from _plotting import plt, show

# %% varies
figure, axes = plt.subplots(figsize=(8.5, 3.4))
for row, ends in enumerate(timelines.values()):
    axes.hlines(row, 0, ends[-1][0], color="#808080", linewidth=2, zorder=0)
    for moment, outcome in ends:
        ok = outcome == "200"
        axes.plot(moment, row, "o" if ok else "X", color="C2" if ok else "C1", markersize=10)
        axes.annotate(
            outcome, (moment, row), (0, 9), textcoords="offset points", ha="center", size=11
        )
axes.set_yticks(range(len(timelines)), timelines)
axes.set_ylim(len(timelines) - 0.5, -0.7)
axes.margins(x=0.08)
axes.set_xlabel("Time since the call (seconds)")
axes.set_title("Time and outcome of each request")
attempts = ", ".join(f"{name}: {len(ends)}" for name, ends in timelines.items())
show(figure, f"Timeline of the requests of four calls; number of requests: {attempts}.")

# %% [markdown]
# ## Interrupted streams
#
# The received chunks are returned, then `StreamInterruptedError` is raised.

# %%
from xai_lowcode.emulator import CutStream
from xai_lowcode.errors import StreamInterruptedError

emulator.inject(CutStream(after_chunks=75))
try:
    for chunk in with_retries.stream("Tell me a story."):
        print(chunk.text, end="")
except StreamInterruptedError as error:
    print(f"\n\n{type(error).__name__}: {error.message}")

# %% [markdown]
# ## Fallbacks
#
# Errors are also instances of LangChain's own classes, for its fallbacks and middleware.

# %%
from langchain_core.exceptions import ModelRateLimitError

fallback = ChatXAILowCode(model="grok-build-0.1")
safe = no_retries.with_fallbacks([fallback], exceptions_to_handle=(ModelRateLimitError,))
emulator.inject(Refuse(429))
print(safe.invoke("Say 'Here is the second mate.'").response_metadata["model_name"])

# %% [markdown]
# ## Deferred completions
#
# With `deferred=True` xAI returns a request id at once, and the model polls for the response with growing
# delays. `PollingOptions(progress=…)` takes True for a progress bar, or a callback.

# %%
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import PollingOptions

emulator.deferred_polls = 5
polls = []


def record_poll(number: int, seconds: float) -> None:
    """Record the time of a poll."""
    polls.append((number, seconds))


llm = XAILowCode(model="grok-4.3")
polling = PollingOptions(initial_delay=0.1, max_delay=0.6, progress=record_poll)
print(llm.complete("Say 'Better late than never.'", deferred=polling).text)
print(len(polls), "polls")

# %% varies
figure, axes = plt.subplots(figsize=(8.5, 1.9))
moments = [seconds for _, seconds in polls]
axes.hlines(0, 0, moments[-1], color="#808080", linewidth=2, zorder=0)
axes.plot(moments[:-1], [0] * (len(moments) - 1), "o", color="C0", markersize=9, label="pending")
axes.plot(moments[-1:], [0], "*", color="C2", markersize=16, label="complete")
axes.set_yticks([])
axes.set_ylim(-1, 1.6)
axes.set_xlim(left=0)
axes.set_xlabel("Time since the request (seconds)")
axes.set_title("Polls of a deferred completion")
axes.legend(ncols=2, loc="upper left")
axes.spines["left"].set_visible(False)
show(figure, f"Timeline of {len(polls)} polls with growing delays; the last one is complete.")

# %% [markdown]
# ## Resumable uploads
#
# An interrupted upload continues after the last chunk that was sent, if the same `Upload` is passed again.

# %%
from xai_lowcode import Gateway, Settings, Upload

upload = Upload(b"One line of the log.\n" * 40_000, name="log.txt")
with Gateway(Settings.create(max_retries=0)) as gateway:
    emulator.inject(*[Stall(0.0)] * 3, Drop())
    try:
        gateway.upload_file(upload, chunk_size=200_000)
    except XAILowCodeError as error:
        print(type(error).__name__, "-", f"{upload.sent:,} of {upload.size:,} bytes were sent")
    record = gateway.upload_file(upload, chunk_size=200_000)
    print(f"{gateway.get_file(record.id).size:,} bytes uploaded")
