"""OpenTelemetry spans of a path: those of httpx, and of both frameworks by OpenInference."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from openinference.instrumentation.llama_index._handler import END_OF_QUEUE
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

INSTRUMENTS: dict[str, Any] = {
    "http otel": HTTPXClientInstrumentor,
    "langchain otel": LangChainInstrumentor,
    "llama_index otel": LlamaIndexInstrumentor,
}


@contextmanager
def exported() -> Iterator[dict[str, list[str]]]:
    """Yield the exported spans of each instrument, with names, attributes and events, as JSON."""
    texts: dict[str, list[str]] = {}
    with ExitStack() as stack:
        exporters = {
            name: stack.enter_context(_instrumented(instrument()))
            for name, instrument in INSTRUMENTS.items()
        }
        yield texts
        for name, exporter in exporters.items():
            texts[name] = [span.to_json() for span in exporter.get_finished_spans()]


@contextmanager
def _instrumented(instrumentor: Any) -> Iterator[InMemorySpanExporter]:
    # Resources and dependencies would be read from the metadata of all installed packages.
    exporter, provider = InMemorySpanExporter(), TracerProvider(resource=Resource.get_empty())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()
        if isinstance(instrumentor, LlamaIndexInstrumentor):
            # Its thread removes old spans ten times a second, and has a reference to itself. Many
            # such threads would slow down each later test.
            instrumentor._span_handler._export_queue.queue.put(END_OF_QUEUE)
