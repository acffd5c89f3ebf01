"""CPU time of decoding a stream, as a ratio to parsing its JSON, for each API.

Streams of many chunks (text, reasoning, two tool calls, heartbeats) are generated with the
emulator's serializers; recorded streams are added if there are any. Measured are

* ``json.loads``, the baseline, and ``orjson.loads``, which the package uses, on the data of each
  event,
* the decoder: ``decoder.feed()`` with each parsed event,
* the reader: from bytes to events, as in a call, with one event at a time (*single events*) or
  64 KiB at a time (*bursts*).

Columns are medians of interleaved samples, with their quartiles. *Single events* should stay below
3. Run it with ``make bench-decoders``.
"""

import argparse
import gc
import json
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from time import process_time_ns
from typing import NamedTuple

import orjson

from xai_lowcode.chat.dialects.base import Dialect
from xai_lowcode.chat.dialects.chat_completions import DIALECT as CHAT_COMPLETIONS
from xai_lowcode.chat.dialects.messages import DIALECT as MESSAGES
from xai_lowcode.chat.dialects.responses import DIALECT as RESPONSES
from xai_lowcode.chat.stream_reader import StreamReader
from xai_lowcode.emulator.fake_model.completion import (
    Completion,
    CompletionChoice,
    FunctionCall,
    compute_usage,
)
from xai_lowcode.emulator.fake_model.prompt_parsing import parse_conversation
from xai_lowcode.emulator.handler_types import SSEFrame
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.serializers import chat_completions, messages, responses_events
from xai_lowcode.emulator.serializers.responses import ResponseOutput, ResponseSerializer

RECORDINGS = Path(__file__).parents[2] / "shared" / "wire" / "recorded"
DIALECTS: dict[str, Dialect] = {
    "chat_completions": CHAT_COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
SIZES = (200, 5_000)
BURST = 1 << 16
# Number of chunks between two heartbeats, in the APIs that have them.
HEARTBEAT_INTERVAL = 10
MIN_EVENTS_PER_SAMPLE = 2_000
MODEL = "grok-3-mini"
DONE = b"[DONE]"


class Stream(NamedTuple):
    """The bytes of each event of a stream."""

    api: str
    name: str
    events: list[bytes]


class Sample(NamedTuple):
    """Nanoseconds of CPU time for all events of a stream."""

    json_loads: int
    orjson_loads: int
    decoder: int
    single_events: int
    bursts: int


def main() -> None:
    """Measure each stream and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--samples", type=int, default=31, help="number of samples of each stream")
    samples = parser.parse_args().samples
    columns = (
        *("API", "stream", "events", "json.loads, us per event"),
        *("orjson.loads", "decoder", "reader, single events", "reader, bursts"),
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for stream in [*generate_streams(), *read_recordings()]:
        print(format_row(stream, measure(stream, samples)))


def generate_streams() -> Iterator[Stream]:
    """Generate a stream of each size for each API."""
    for api in DIALECTS:
        for size in SIZES:
            yield Stream(api, "generated", [encode(frame) for frame in build_frames(api, size)])


def read_recordings() -> Iterator[Stream]:
    """Read the recorded streams of each API."""
    for api in DIALECTS:
        for path in sorted(RECORDINGS.glob(f"{api}/*.sse")):
            events = path.read_bytes().split(b"\n\n")
            yield Stream(api, path.stem, [event + b"\n\n" for event in events if event.strip()])


def build_frames(api: str, size: int) -> list[SSEFrame]:
    """Build a response of about so many chunks: reasoning, text, two tool calls, heartbeats."""
    heartbeats = 0 if api == "responses" else size // (HEARTBEAT_INTERVAL + 1)
    chunks = (size - heartbeats) // 2
    choice = CompletionChoice(
        text=" word" * chunks,
        calls=tuple(FunctionCall(f"call_{n}", "add", f'{{"a":{n},"b":"two"}}') for n in range(2)),
        reasoning=" thought" * chunks,
        finish_reason="tool_calls",
    )
    body: Json = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream_options": {"include_usage": True},
    }
    usage = compute_usage(body, parse_conversation(body["messages"]), [choice])
    completion = Completion(body, 1, [choice], usage)
    match api:
        case "chat_completions":
            heartbeat = chat_completions.heartbeat_frame(completion)
            return add_heartbeats(chat_completions.to_frames(completion), heartbeat)
        case "messages":
            return add_heartbeats(messages.to_frames(completion), messages.PING)
        case _:
            output = ResponseOutput(body, completion, [])
            return responses_events.to_frames(ResponseSerializer(output, streamed=True))


def add_heartbeats(frames: list[SSEFrame], heartbeat: SSEFrame) -> list[SSEFrame]:
    """Insert a heartbeat after every tenth frame."""
    result: list[SSEFrame] = []
    for number, frame in enumerate(frames, 1):
        result += [frame] if number % HEARTBEAT_INTERVAL else [frame, heartbeat]
    return result


def encode(frame: SSEFrame) -> bytes:
    """Encode a frame as a server-sent event."""
    event = f"event: {frame.event}\n" if frame.event else ""
    data = frame.data if isinstance(frame.data, str) else json.dumps(frame.data)
    return f"{event}data: {data}\n\n".encode()


def get_data(stream: Stream) -> list[bytes]:
    """Return the data of each event, without the end-of-stream marker."""
    lines = [line for event in stream.events for line in event.split(b"\n")]
    data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    return [text for text in data if text != DONE]


def measure(stream: Stream, samples: int) -> list[Sample]:
    """Measure a stream; all columns are measured in turn, so that they share disturbances."""
    data = get_data(stream)
    parsed = [json.loads(text) for text in data]
    content = b"".join(stream.events)
    bursts = [content[start : start + BURST] for start in range(0, len(content), BURST)]
    dialect = DIALECTS[stream.api]
    functions: tuple[Callable[[], None], ...] = (
        lambda: exhaust(map(json.loads, data)),
        lambda: exhaust(map(orjson.loads, data)),
        lambda: decode(dialect, parsed),
        lambda: read(dialect, stream.events),
        lambda: read(dialect, bursts),
    )
    repetitions = -(-MIN_EVENTS_PER_SAMPLE // len(data))
    gc.collect()
    gc.freeze()
    results = [
        Sample(*(measure_function(function, repetitions) for function in functions))
        for _ in range(samples + 1)
    ]
    return results[1:]  # the first is a warm-up


def measure_function(function: Callable[[], None], repetitions: int) -> int:
    """Return the CPU time of a call in nanoseconds."""
    start = process_time_ns()
    for _ in range(repetitions):
        function()
    return (process_time_ns() - start) // repetitions


def exhaust(iterator: Iterator[object]) -> None:
    """Consume an iterator."""
    deque(iterator, maxlen=0)


def decode(dialect: Dialect, parsed: list[Json]) -> None:
    """Decode parsed events."""
    decoder = dialect.decoder()
    for event in parsed:
        for _ in decoder.feed(event):
            pass


def read(dialect: Dialect, blocks: list[bytes]) -> None:
    """Read a stream from the bytes of its blocks."""
    reader = StreamReader(dialect)
    for block in blocks:
        for _ in reader.feed(block):
            pass
    assert list(reader.close()) == []
    assert reader.finished or dialect.name != "chat_completions"


def format_row(stream: Stream, samples: list[Sample]) -> str:
    """Return the row of a stream."""
    events = len(get_data(stream))
    baseline = median(sample.json_loads for sample in samples) / events / 1000
    ratios = [
        format_ratios([sample[column] / sample.json_loads for sample in samples])
        for column in range(1, len(Sample._fields))
    ]
    return f"| {stream.api} | {stream.name} | {events} | {baseline:.2f} | {' | '.join(ratios)} |"


def format_ratios(ratios: list[float]) -> str:
    """Return the median and the quartiles."""
    lower, middle, upper = quantiles(ratios, n=4)
    return f"{middle:.2f} ({lower:.2f} to {upper:.2f})"


if __name__ == "__main__":
    main()
