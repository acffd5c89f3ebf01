"""The ways in which somebody other than the gateway may come to see a token, each as a text.

A channel is what a path leaves behind in one of them: logs, prints, warnings, errors with all that
reporters collect, views and dumps of objects, traces, events, spans, pickles, the process itself.
"""

import contextlib
import io
import os
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.load import dumps
from langchain_core.tracers.langchain import LangChainTracer
from langchain_core.tracers.stdout import ConsoleCallbackHandler
from langsmith._internal._serde import dumps_json
from llama_index.core.callbacks import TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from pydantic import Field

from tests.core import leaks
from tests.secrecy.spans import exported

HERE = Path(__file__).parent

CHANNELS = (
    "logs",
    "output",
    "warnings",
    "errors",
    "views",
    "dumps",
    "pickles",
    "langchain traces",
    "langchain console",
    "llama_index events",
    "llama_index spans",
    "langchain otel",
    "llama_index otel",
    "http otel",
    "metrics",
    "arguments",
    "environment",
)


class Bin:
    """Stands in for LangSmith's client: keeps what would be sent."""

    tracing_mode = "langsmith"

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def create_run(self, *args: Any, **run: Any) -> None:
        self.kept.append(dumps_json([args, run]))

    update_run = create_run

    def flush(self) -> None:
        """Nothing waits."""


class Events(BaseEventHandler):
    """Keeps each event of LlamaIndex as JSON and as it is printed."""

    kept: list[str] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.kept.append(f"{event.model_dump_json(fallback=repr)} {event!r}")


class Spans(SimpleSpanHandler):
    """Keeps what methods are called with and on, and what they return or raise."""

    kept: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **more: Any) -> Any:
        self.kept.append(f"{bound_args!r} {instance!r} {more!r}")
        return super().new_span(id_, bound_args, instance, **more)

    def prepare_to_exit_span(self, id_: str, *args: Any, **more: Any) -> Any:
        self.kept.append(f"{args!r} {more!r}")
        return super().prepare_to_exit_span(id_, *args, **more)


@dataclass
class Seen:
    """What was seen, by channel, and the observers that paths hand on."""

    texts: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in CHANNELS})
    callbacks: list[Any] = field(default_factory=list)
    counter: TokenCountingHandler = field(default_factory=TokenCountingHandler)

    def error(self, error: BaseException) -> None:
        """An exception as reporters show it, and as it travels between processes."""
        ours = tuple(str(path) for path in HERE.glob("*.py"))
        self.texts["errors"].append(leaks.render_exception(error, skip=(*ours, leaks.__file__)))
        self.texts["pickles"].append(pickled(error))

    def objects(self, things: Iterable[Any]) -> None:
        """What a path made: models, answers, records."""
        for thing in things:
            self.texts["views"] += [repr(thing), str(thing), f"{thing}"]
            self.texts["dumps"] += list(dumped(thing))

    def answers(self, things: Iterable[Any]) -> None:
        """The same for answers, which hold no token of their own, not even in pickles."""
        for thing in things:
            self.objects([thing])
            self.texts["pickles"].append(pickled(thing))

    def sightings(self, *spellings: str) -> list[str]:
        """The channels in which one of the spellings stands."""
        return [
            name
            for name, texts in self.texts.items()
            if any(spelling in text for spelling in spellings for text in texts)
        ]


def pickled(thing: Any) -> str:
    """The bytes of a pickle, as text; why there is none, if there is none."""
    try:
        return pickle.dumps(thing).decode("latin-1")
    except Exception as refusal:  # noqa: BLE001 - what cannot travel shows itself nowhere
        return repr(refusal)


@cache
def _schemas(kind: Any) -> str:
    return f"{kind.model_json_schema()}"


_DUMPS: tuple[Callable[[Any], Any], ...] = (
    lambda thing: thing.model_dump(),
    lambda thing: thing.model_dump_json(),
    lambda thing: thing.model_dump(mode="json", serialize_as_any=True),
    lambda thing: thing.dict(),
    lambda thing: thing.json(),
    lambda thing: thing.to_dict(),
    lambda thing: thing.to_json(),
    lambda thing: thing.to_payload(),
    lambda thing: thing._identifying_params,
    lambda thing: _schemas(type(thing)),
    list,
    dumps,
)


def dumped(thing: Any) -> Iterator[str]:
    """All dumps that a thing knows, and LangChain's."""
    for dump in _DUMPS:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            yield repr(dump(thing))


@contextlib.contextmanager
def watched() -> Iterator[Seen]:
    """Watches all channels; what is left behind is read at the end."""
    seen, kept, out = Seen(), Bin(), io.StringIO()
    client: Any = kept
    tracer, usage = (
        LangChainTracer(client=client, project_name="tests"),
        UsageMetadataCallbackHandler(),
    )
    seen.callbacks = [tracer, usage, ConsoleCallbackHandler()]
    with (
        leaks.capture_all_logs() as logs,
        warnings.catch_warnings(record=True) as warned,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        _llama_index() as (events, spans),
        exported() as spans_of,
    ):
        warnings.simplefilter("always")
        yield seen
        tracer.wait_for_futures()
    text = out.getvalue()
    for name, more in {
        "logs": [logs.getvalue()],
        "output": [text],
        "langchain console": [text],
        "warnings": [f"{one.message} {one.line} {one.source!r}" for one in warned],
        "langchain traces": [run.decode() for run in kept.kept],
        "llama_index events": events.kept,
        "llama_index spans": [*spans.kept, repr(spans.completed_spans), repr(spans.dropped_spans)],
        **spans_of,
        "metrics": [repr(usage.usage_metadata), repr(seen.counter.llm_token_counts)],
        "arguments": [repr(sys.argv), Path("/proc/self/cmdline").read_text()],
        "environment": [repr(dict(os.environ))],
    }.items():
        seen.texts[name] += more


@contextlib.contextmanager
def _llama_index() -> Iterator[tuple[Events, Spans]]:
    root, events, spans = get_dispatcher(), Events(), Spans()
    root.add_event_handler(events)
    root.add_span_handler(spans)
    try:
        yield events, spans
    finally:
        root.event_handlers.remove(events)
        root.span_handlers.remove(spans)
