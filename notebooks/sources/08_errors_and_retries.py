# %% [markdown]
# # Errors, retries and answers that come later
#
# What happens when things go wrong, seen happening: the emulator refuses, drops, stalls and breaks off on
# request. Nothing here talks to Grok, with or without a token.

# %%
from start import connect

emulator = connect(emulator_only=True)

# %% [markdown]
# ## What can be told from an error
#
# Each error is of a class that can be caught, says who refused, whether the same call may succeed later, and
# what to do. `max_retries=0` lets them through at once.

# %%
from langchain_xai_lowcode import ChatXAILowCode
from xai_lowcode import XAILowCodeError
from xai_lowcode.emulator import Drop, Empty, ErrorIn200, Html, Refuse

impatient = ChatXAILowCode(model="grok-4.3", max_retries=0)
MISFORTUNES = {
    "too many requests": [Refuse(429, "Slow down", retry_after=2.5)],
    "overloaded": [Refuse(503, "The service is currently unavailable")],
    "an error under 200": [ErrorIn200()],
    "a proxy's page": [Html(502)],
    # Twice: a kept connection that is dropped was just stale, and a fresh one is tried at once.
    "no answer at all": [Drop(), Drop()],
    "an empty answer": [Empty()],
    "out of credits": [Refuse(403, "Your team has used all available credits")],
    "a wrong key": [Refuse(400, "Incorrect API key provided: xai-0…0.")],
}
print(f"{'what happened':<20}{'class':<24}{'maker':<10}{'again?':<8}wait")
for what, faults in MISFORTUNES.items():
    emulator.inject(*faults)
    try:
        impatient.invoke("Hello")
    except XAILowCodeError as error:
        again = "yes" if error.is_retryable else "no"
        kind = type(error).__name__
        print(f"{what:<20}{kind:<24}{error.source:<10}{again:<8}{error.retry_after or ''}")

# %% [markdown]
# What is wrong on this side is told before anything is sent:

# %%
before = len(emulator.requests)
for wrong in ({"temperature": "hot"}, {"deferred": "later"}, {"api": "telepathy"}):
    try:
        impatient.invoke("Hello", **wrong)
    except XAILowCodeError as error:
        print(error)
print(len(emulator.requests) - before, "requests were sent")

# %% [markdown]
# ## Retries, seen happening
#
# A debug line of the logger `xai_lowcode` for each request tells when it ended and how. This handler keeps them.

# %%
import logging
import time

import matplotlib.pyplot as plt

plt.rcParams["figure.dpi"] = 72
BLUE, ORANGE, GREEN = "#4c6a92", "#d98032", "#6a9a5b"


class Diary(logging.Handler):
    """Keeps when each request ended, and whether well."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[float, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps one line: method, path and outcome."""
        if record.levelno == logging.DEBUG:
            how = record.getMessage().split(": ", 1)[1]
            self.entries.append((record.created, how if how.isdecimal() else "no answer"))


diary = Diary()
logger = logging.getLogger("xai_lowcode")
logger.setLevel(logging.DEBUG)
logger.addHandler(diary)

# %% [markdown]
# Four calls, each with misfortunes of its own. What the other side asks to wait is waited; where it says nothing,
# pauses grow, with some chance in them, so that many clients do not come back at one time.

# %%
from xai_lowcode.emulator import Stall

patient = ChatXAILowCode(model="grok-4.3", max_retries=4)
CALLS = {
    "as it should be": [],
    "asked to wait 0.6 s": [Refuse(429, retry_after=0.6)],
    "three times 503": [Refuse(503)] * 3,
    "dropped, then slow": [Drop(), Stall(0.5)],
}
timelines = {}
for name, faults in CALLS.items():
    emulator.inject(*faults)
    diary.entries.clear()
    began = time.time()
    text = patient.invoke("Say 'Land in sight.'").text
    timelines[name] = [(moment - began, how) for moment, how in diary.entries]
    outcomes = ", ".join(how for _, how in timelines[name])
    print(f"{name:<20} {outcomes:<20} {text}")

# %% varies
figure, axes = plt.subplots(figsize=(8.5, 3.2))
for row, ends in enumerate(timelines.values()):
    axes.hlines(row, 0, ends[-1][0], color="#cccccc", linewidth=3, zorder=0)
    for moment, how in ends:
        good = how == "200"
        axes.plot(moment, row, "o" if good else "X", color=GREEN if good else ORANGE, markersize=10)
        axes.annotate(how, (moment, row), (0, 9), textcoords="offset points", ha="center", size=9)
axes.set_yticks(range(len(timelines)), timelines)
axes.set_ylim(len(timelines) - 0.5, -0.7)
axes.margins(x=0.08)
axes.set_xlabel("seconds")
axes.set_title("When each request ended, and how")
axes.spines[["top", "right"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# ## A stream that breaks off
#
# A cut answer is never passed off as a whole one: what came is shown, then the error is raised.

# %%
from xai_lowcode.emulator import CutStream
from xai_lowcode.errors import StreamInterruptedError

emulator.inject(CutStream(after_chunks=75))
try:
    for chunk in patient.stream("Tell me a story."):
        print(chunk.text, end="")
except StreamInterruptedError as error:
    print(f"\n\n{type(error).__name__}: {error.message}")

# %% [markdown]
# ## Fallbacks
#
# Errors are also LangChain's own, so its fallbacks and middleware know them.

# %%
from langchain_core.exceptions import ModelRateLimitError

second = ChatXAILowCode(model="grok-build-0.1")
safe = impatient.with_fallbacks([second], exceptions_to_handle=(ModelRateLimitError,))
emulator.inject(Refuse(429))
print(safe.invoke("Say 'Here is the second mate.'").response_metadata["model_name"])

# %% [markdown]
# ## Answers that come later
#
# With `deferred=True` xAI gives a ticket at once and the answer when it is ready; the model looks for it, with
# pauses that grow. `progress=True` in a `PollingOptions` shows how long it takes; a function is told instead.

# %%
from llama_index_xai_lowcode import XAILowCode
from xai_lowcode import PollingOptions

emulator.deferred_polls = 5
looks = []


def note(number: int, seconds: float) -> None:
    """Keeps when each look was."""
    looks.append((number, seconds))


later = XAILowCode(model="grok-4.3")
patience = PollingOptions(initial_delay=0.1, max_delay=0.6, progress=note)
print(later.complete("Say 'Better late than never.'", deferred=patience).text)
print(len(looks), "looks, the last of which found it")

# %% varies
figure, axes = plt.subplots(figsize=(8.5, 1.9))
moments = [seconds for _, seconds in looks]
axes.hlines(0, 0, moments[-1], color="#cccccc", linewidth=3, zorder=0)
axes.plot(moments[:-1], [0] * (len(moments) - 1), "o", color=BLUE, markersize=9, label="not yet")
axes.plot(moments[-1:], [0], "*", color=GREEN, markersize=16, label="there it is")
axes.set_yticks([])
axes.set_ylim(-1, 1.6)
axes.set_xlim(left=0)
axes.set_xlabel("seconds")
axes.set_title("Looks for a deferred answer")
axes.legend(frameon=False, ncols=2, loc="upper left")
axes.spines[["top", "right", "left"]].set_visible(False)
figure.tight_layout()

# %% [markdown]
# The same, shown while it happens:

# %%
emulator.deferred_polls = 1
shown = PollingOptions(initial_delay=0.1, progress=True)
print(later.complete("Say 'There you are.'", deferred=shown).text)

# %% [markdown]
# An upload that breaks off is taken up where it stopped, with the same `Upload`.

# %%
from xai_lowcode import Gateway, Settings, Upload

job = Upload(b"One line of the log.\n" * 40_000, name="log.txt")
with Gateway(Settings.create(max_retries=0)) as gateway:
    emulator.inject(*[Stall(0.0)] * 3, Drop())
    try:
        gateway.upload_file(job, chunk_size=200_000, progress=True)
    except XAILowCodeError as error:
        print(type(error).__name__, "-", f"{job.sent:,} of {job.size:,} bytes were sent")
    record = gateway.upload_file(job, chunk_size=200_000, progress=True)
    print(f"{gateway.get_file(record.id).size:,} bytes have arrived")
