"""Expected outcomes of faults with the Messages and Responses APIs; see ``tables``.

The columns are the APIs, each as a whole response and as a stream. Both APIs end a stream with a
terminal event, after which ``[DONE]`` may be missing or may be sent twice.
"""

from tests.faults.tables import BUSY, FAULTS, parse_table
from xai_lowcode.emulator import CutStream, EndStreamEarly, ErrorInStream, Fault

API_FAULTS: dict[str, Fault] = {
    **{
        name: FAULTS[name]
        for name in (
            "closed after the request",
            "cut before the body",
            "cut after the first byte",
            "cut between chunks",
            "cut in a chunk",
            "invalid UTF-8",
            "429, Retry-After in header",
            "gzip, truncated",
            "Content-Type JSON",
            "envelope: data",
            "envelope: bare",
            "envelope: double",
            "error with 200",
            "error as a line",
            "error as an event",
            "busy, as the first line",
            "busy, as the first event",
            "no end marker",
            "two end markers",
            "stream as one JSON",
            "empty chunks",
            "no response",
            "slow stream",
            "endless body",
        )
    },
    "error as a failure": ErrorInStream(form="failed"),
    "busy, as a failure": ErrorInStream(2, BUSY, "server_error", "failed"),
    "busy, after the first text": ErrorInStream(8, BUSY, "server_error", "event"),
    "slow down, as an event": ErrorInStream(
        error="Slow down.", code="rate_limit_error", form="event"
    ),
    "end in the middle": EndStreamEarly(5),
    "cut near the end": CutStream(8),
}

API_TABLE = """
fault                      messages messages_stream responses responses_stream
closed after the request   conn*    conn*           conn*     conn*
cut before the body        conn     cut             conn      cut
cut after the first byte   conn     cut             conn      cut
cut between chunks         conn     cut             conn      cut
cut in a chunk             conn     cut             conn      cut
invalid UTF-8              inv      inv             inv       inv
429, Retry-After in header rate*    rate*           rate*     rate*
gzip, truncated            inv      inv             inv       inv
Content-Type JSON          ok       ok              ok        ok
envelope: data             ok       ok              ok        ok
envelope: bare             ok       ok              ok        ok
envelope: double           inv      ok              inv       ok
error with 200             fail*    fail*           fail*     fail*
error as a line            ok       bad             ok        bad
error as an event          ok       bad             ok        bad
busy, as the first line    ok       fail*           ok        fail*
busy, as the first event   ok       fail*           ok        fail*
no end marker              ok       ok              ok        ok
two end markers            ok       ok              ok        ok
stream as one JSON         ok       ok              ok        ok
empty chunks               ok       ok              ok        ok
no response                late     late            late      late
slow stream                late     stall           late      stall
endless body               late     stall           late      stall
error as a failure         ok       cut             ok        bad
busy, as a failure         ok       cut             ok        fail*
busy, after the first text ok       fail            ok        fail
slow down, as an event     ok       rate*           ok        rate*
end in the middle          ok       cut             ok        cut
cut near the end           conn     cut             conn      cut
"""

API_EXPECTED = parse_table(API_TABLE)
"""The expected outcomes, by fault and kind of interface."""
