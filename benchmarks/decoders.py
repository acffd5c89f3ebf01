"""What reading a stream costs beyond reading its JSON, for each wire form.

Streams of many pieces are written by the emulator (text, thoughts, two calls, heartbeats), and the
recorded ones are taken too where they lie beside the repository. Each is read in turns by

* the floor: ``json.loads`` of the data of every chunk (and orjson's, which the package uses),
* the decoder: ``decoder.feed`` of every parsed chunk, events taken,
* the reader: bytes to events as in a call, fed a chunk at a time (live) or 64 KiB (burst),

and all are told as ratios to ``json.loads``: medians over the turns, and the quartiles. The figure
to watch is "live", which is to stay below 3. CPU time on one core.

Run from the root of the repository::

    python benchmarks/decoders.py [--turns 31]
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
from xai_lowcode.emulator.fake_model.completion import Completion, CompletionChoice, FunctionCall
from xai_lowcode.emulator.fake_model.prompt_parsing import parse_conversation
from xai_lowcode.emulator.fake_model.usage import compute_usage
from xai_lowcode.emulator.handler_types import Json, SSEFrame
from xai_lowcode.emulator.serializers import chat_completions, messages, responses_events
from xai_lowcode.emulator.serializers.responses import ResponseOutput, ResponseSerializer

RECORDED = Path(__file__).parents[2] / "shared" / "wire" / "recorded"
DIALECTS: dict[str, Dialect] = {
    "chat_completions": CHAT_COMPLETIONS,
    "messages": MESSAGES,
    "responses": RESPONSES,
}
SIZES = (200, 5_000)
BURST = 1 << 16
# Every so many chunks the service says that it is still there, where the form has a word for it.
HEARTBEAT_EVERY = 10
LEAST_CHUNKS_A_TURN = 2_000
MODEL = "grok-3-mini"
DONE = b"[DONE]"


class Stream(NamedTuple):
    """One stream, as the bytes of its chunks."""

    form: str
    name: str
    chunks: list[bytes]


class Costs(NamedTuple):
    """Nanoseconds for all chunks of one stream, in one turn."""

    loads: int
    orjson: int
    decoder: int
    live: int
    burst: int


def main() -> None:
    """Measures every stream and prints a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, default=31, help="how often each stream is read")
    turns = parser.parse_args().turns
    print("| form | stream | chunks | json.loads, us | orjson | decoder | live | burst |")
    print("|---|---|---|---|---|---|---|---|")
    for stream in [*written_streams(), *recorded_streams()]:
        print(row(stream, measured(stream, turns)))


def written_streams() -> Iterator[Stream]:
    """Streams of the emulator, of the sizes asked for."""
    for form in DIALECTS:
        for size in SIZES:
            yield Stream(form, "written", [line(frame) for frame in frames_of(form, size)])


def recorded_streams() -> Iterator[Stream]:
    """The recorded streams of a form, one behind the other."""
    for form in DIALECTS:
        for path in sorted(RECORDED.glob(f"{form}/*.sse")):
            blocks = path.read_bytes().split(b"\n\n")
            yield Stream(form, path.stem, [block + b"\n\n" for block in blocks if block.strip()])


def frames_of(form: str, size: int) -> list[SSEFrame]:
    """An answer of about so many chunks: thoughts, text, two calls, heartbeats between."""
    beats = 0 if form == "responses" else size // (HEARTBEAT_EVERY + 1)
    pieces = (size - beats) // 2
    choice = CompletionChoice(
        text=" word" * pieces,
        calls=tuple(FunctionCall(f"call_{n}", "add", f'{{"a":{n},"b":"two"}}') for n in range(2)),
        reasoning=" thought" * pieces,
        finish_reason="tool_calls",
    )
    body: Json = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Hello"}],
        "stream_options": {"include_usage": True},
    }
    usage = compute_usage(body, parse_conversation(body["messages"]), [choice])
    completion = Completion(body, 1, [choice], usage)
    match form:
        case "chat_completions":
            heartbeat = chat_completions.heartbeat_frame(completion)
            return with_heartbeats(chat_completions.to_frames(completion), heartbeat)
        case "messages":
            return with_heartbeats(messages.to_frames(completion), messages.PING)
        case _:
            output = ResponseOutput("r1", body, completion, [])
            return responses_events.to_frames(ResponseSerializer(output, streamed=True))


def with_heartbeats(frames: list[SSEFrame], heartbeat: SSEFrame) -> list[SSEFrame]:
    """The frames, with a heartbeat behind every tenth."""
    found: list[SSEFrame] = []
    for number, frame in enumerate(frames, 1):
        found += [frame] if number % HEARTBEAT_EVERY else [frame, heartbeat]
    return found


def line(frame: SSEFrame) -> bytes:
    """A frame as the service sends it."""
    lead = f"event: {frame.event}\n" if frame.event else ""
    data = frame.data if isinstance(frame.data, str) else json.dumps(frame.data)
    return f"{lead}data: {data}\n\n".encode()


def data_of(stream: Stream) -> list[bytes]:
    """What stands behind ``data:``, chunk by chunk, without the closing sign."""
    lines = [line for chunk in stream.chunks for line in chunk.split(b"\n")]
    data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    return [text for text in data if text != DONE]


def measured(stream: Stream, turns: int) -> list[Costs]:
    """Reads the stream in all ways, in turns, so that what slows the machine slows them alike."""
    data = data_of(stream)
    parsed = [json.loads(text) for text in data]
    whole = b"".join(stream.chunks)
    bursts = [whole[start : start + BURST] for start in range(0, len(whole), BURST)]
    dialect = DIALECTS[stream.form]
    ways: tuple[Callable[[], None], ...] = (
        lambda: exhaust(map(json.loads, data)),
        lambda: exhaust(map(orjson.loads, data)),
        lambda: decode(dialect, parsed),
        lambda: read(dialect, stream.chunks),
        lambda: read(dialect, bursts),
    )
    times = -(-LEAST_CHUNKS_A_TURN // len(data))
    gc.collect()
    gc.freeze()
    costs = [Costs(*(cost(way, times) for way in ways)) for _ in range(turns + 1)]
    return costs[1:]


def cost(way: Callable[[], None], times: int) -> int:
    """CPU nanoseconds of one reading."""
    begun = process_time_ns()
    for _ in range(times):
        way()
    return (process_time_ns() - begun) // times


def exhaust(things: Iterator[object]) -> None:
    """Takes all of them, as fast as can be."""
    deque(things, maxlen=0)


def decode(dialect: Dialect, parsed: list[Json]) -> None:
    """Parsed chunks to events."""
    decoder = dialect.decoder()
    for chunk in parsed:
        for _ in decoder.feed(chunk):
            pass


def read(dialect: Dialect, pieces: list[bytes]) -> None:
    """Bytes to events."""
    reader = StreamReader(dialect)
    for piece in pieces:
        for _ in reader.feed(piece):
            pass
    assert list(reader.close()) == []
    assert reader.finished or dialect.name != "chat_completions"


def row(stream: Stream, costs: list[Costs]) -> str:
    """The stream's line of the table."""
    number = len(data_of(stream))
    floor = median(turn.loads for turn in costs) / number / 1000
    ratios = [
        spread([turn[way] / turn.loads for turn in costs]) for way in range(1, len(Costs._fields))
    ]
    return f"| {stream.form} | {stream.name} | {number} | {floor:.2f} | {' | '.join(ratios)} |"


def spread(values: list[float]) -> str:
    """Median, and the quartiles."""
    low, middle, high = quantiles(values, n=4)
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
