"""The channels through which somebody other than the gateway could get a token, each as texts.

A channel is one kind of output of a code path: logs, prints, warnings, errors with the variables of
their frames, views, dumps and pickles of objects, traces, events, spans, metrics, the process.
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
from llama_index.core.callbacks import TokenCountingHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from pydantic import Field

from tests.core import leaks
from tests.fake_langsmith import FakeLangSmithClient
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


class EventRecorder(BaseEventHandler):
    """Records each event of LlamaIndex as JSON and as its ``repr``."""

    texts: list[str] = Field(default_factory=list)

    def handle(self, event: Any, **_: Any) -> None:
        self.texts.append(f"{event.model_dump_json(fallback=repr)} {event!r}")


class SpanRecorder(SimpleSpanHandler):
    """Records the arguments, instances, results and errors of LlamaIndex's spans."""

    texts: list[str] = Field(default_factory=list)

    def new_span(self, id_: str, bound_args: Any, instance: Any = None, **new_texts: Any) -> Any:
        self.texts.append(f"{bound_args!r} {instance!r} {new_texts!r}")
        return super().new_span(id_, bound_args, instance, **new_texts)

    def prepare_to_exit_span(self, id_: str, *args: Any, **new_texts: Any) -> Any:
        self.texts.append(f"{args!r} {new_texts!r}")
        return super().prepare_to_exit_span(id_, *args, **new_texts)


@dataclass
class Observer:
    """The texts of each channel, and the callbacks that a path passes to the frameworks."""

    texts: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in CHANNELS})
    callbacks: list[Any] = field(default_factory=list)
    counter: TokenCountingHandler = field(default_factory=TokenCountingHandler)

    def error(self, error: BaseException) -> None:
        """Record an exception as crash reporters render it, and its pickle."""
        own_files = tuple(str(path) for path in HERE.glob("*.py"))
        self.texts["errors"].append(
            leaks.render_exception(error, skip=(*own_files, leaks.__file__))
        )
        self.texts["pickles"].append(pickle_text(error))

    def objects(self, values: Iterable[Any]) -> None:
        """Record the views and dumps of objects: models, responses, records."""
        for value in values:
            self.texts["views"] += [repr(value), str(value), f"{value}"]
            self.texts["dumps"] += list(dump_texts(value))

    def responses(self, values: Iterable[Any]) -> None:
        """Record views, dumps and pickles of responses; unlike models they never have a token."""
        for value in values:
            self.objects([value])
            self.texts["pickles"].append(pickle_text(value))

    def channels_with(self, *spellings: str) -> list[str]:
        """Return the channels that have one of the spellings."""
        return [
            name
            for name, texts in self.texts.items()
            if any(spelling in text for spelling in spellings for text in texts)
        ]


def pickle_text(value: Any) -> str:
    """Return the bytes of a pickle as text; the error, if it cannot be pickled."""
    try:
        return pickle.dumps(value).decode("latin-1")
    except Exception as error:  # noqa: BLE001 - what cannot be pickled shows nothing
        return repr(error)


@cache
def _schemas(kind: Any) -> str:
    try:
        return f"{kind.model_json_schema()}"
    except Exception as error:  # noqa: BLE001 - of a class without one, once
        return repr(error)


_DUMPS: tuple[Callable[[Any], Any], ...] = (
    lambda value: value.model_dump(),
    lambda value: value.model_dump_json(),
    lambda value: value.model_dump(mode="json", serialize_as_any=True),
    lambda value: value.dict(),
    lambda value: value.json(),
    lambda value: value.to_dict(),
    lambda value: value.to_json(),
    lambda value: value.to_payload(),
    lambda value: value._identifying_params,
    lambda value: _schemas(type(value)),
    list,
    dumps,
)


def dump_texts(value: Any) -> Iterator[str]:
    """Yield all dumps of an object, its own ones and LangChain's."""
    for dump in _DUMPS:
        with warnings.catch_warnings(), contextlib.suppress(Exception):
            warnings.simplefilter("ignore")
            yield repr(dump(value))


@contextlib.contextmanager
def observe_channels() -> Iterator[Observer]:
    """Observe all channels; the texts are complete after the context."""
    observer, langsmith, out = Observer(), FakeLangSmithClient(), io.StringIO()
    client: Any = langsmith
    tracer, usage = (
        LangChainTracer(client=client, project_name="tests"),
        UsageMetadataCallbackHandler(),
    )
    observer.callbacks = [tracer, usage, ConsoleCallbackHandler()]
    with (
        leaks.capture_all_logs() as logs,
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
        _llama_index() as (events, spans),
        exported() as exported_spans,
    ):
        warnings.simplefilter("always")
        yield observer
        tracer.wait_for_futures()
    text = out.getvalue()
    for name, new_texts in {
        "logs": [logs.getvalue()],
        "output": [text],
        "langchain console": [text],
        "warnings": [f"{warning.message} {warning.line} {warning.source!r}" for warning in caught],
        "langchain traces": [run.decode() for run in langsmith.runs],
        "llama_index events": events.texts,
        "llama_index spans": [*spans.texts, repr(spans.completed_spans), repr(spans.dropped_spans)],
        **exported_spans,
        "metrics": [repr(usage.usage_metadata), repr(observer.counter.llm_token_counts)],
        "arguments": [repr(sys.argv), Path("/proc/self/cmdline").read_text()],
        "environment": [repr(dict(os.environ))],
    }.items():
        observer.texts[name] += new_texts


@contextlib.contextmanager
def _llama_index() -> Iterator[tuple[EventRecorder, SpanRecorder]]:
    root, events, spans = get_dispatcher(), EventRecorder(), SpanRecorder()
    root.add_event_handler(events)
    root.add_span_handler(spans)
    try:
        yield events, spans
    finally:
        root.event_handlers.remove(events)
        root.span_handlers.remove(spans)
