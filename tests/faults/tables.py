"""The expected outcome of each fault, for each kind of interface, as a plain-text table.

A cell is the outcome of the call:

- ``ok``: the result without the fault.
- ``again``: the result without the fault, since the call sends the request again, whatever
  ``max_retries`` is.
- a name in ``ERRORS``: that error, without a retry.
- a name with a star: that error with ``max_retries=0``; with ``max_retries=1`` the result.
- ``+n``: the number of additional requests, where it is not the usual one: 0 for ``ok`` and for a
  name, 1 for ``again`` and for a star.

The columns are kinds of requests: a whole response, a stream, the submission of a deferred
completion, the poll that retrieves it, an image, the start and a chunk of an upload, the record and
the content of a download. A response that has begun may be billed, and is not requested again; nor
is one that can be retrieved only once, or a chunk that would be in a file twice.
"""

from dataclasses import dataclass

from langchain_core import exceptions as theirs

from xai_lowcode import errors as ours
from xai_lowcode.emulator import (
    CloseAfter,
    CutBytes,
    CutStream,
    DoubleDone,
    Drop,
    Empty,
    Endless,
    EndStreamEarly,
    ErrorIn200,
    ErrorInStream,
    Fault,
    Garbage,
    Gzip,
    Heartbeats,
    Html,
    Huge,
    InvalidUTF8,
    NoDone,
    Outage,
    Redirect,
    Refuse,
    Reset,
    ResetUnread,
    SlowDrip,
    Stall,
    StreamAsJson,
    WrongEnvelope,
    WrongType,
)

# The names of errors: our class, LangChain's class, and whether the error is retryable.
ERRORS: dict[str, tuple[type[ours.XAILowCodeError], type[Exception], bool]] = {
    "conn": (ours.APIConnectionError, theirs.ModelConnectionError, True),
    "trust": (ours.CertificateVerificationError, theirs.ModelConnectionError, False),
    "late": (ours.APITimeoutError, theirs.ModelTimeoutError, True),
    "rate": (ours.RateLimitError, theirs.ModelRateLimitError, True),
    "fail": (ours.InternalServerError, theirs.ModelAPIError, True),
    "bad": (ours.BadRequestError, theirs.ModelInvalidRequestError, False),
    "inv": (ours.InvalidResponseError, theirs.ModelError, False),
    "damage": (ours.CorruptedDownloadError, theirs.ModelError, False),
    "cut": (ours.StreamInterruptedError, theirs.ModelConnectionError, True),
    "stall": (ours.StreamTimeoutError, theirs.ModelTimeoutError, True),
}

BUSY = "The model is currently at capacity due to high demand."
# Data of a gateway that lost the end of a response; no emulated fault sends it.
NO_FINISH = (
    b'data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}\n\n'
    b'data: {"detail":"upstream died"}\n\ndata: [DONE]\n\n'
)

FAULTS: dict[str, Fault] = {
    "reset before the request": ResetUnread(),
    "reset after the request": Reset(),
    "closed after the request": Drop(),
    "cut before the body": CutBytes(0),
    "cut after the first byte": CutBytes(1),
    "cut after forty bytes": CutBytes(40),
    "cut between chunks": CutStream(),
    "cut in a chunk": CutStream(mid_chunk=True),
    "invalid UTF-8": InvalidUTF8(),
    "429": Refuse(429, "Slow down."),
    "429, Retry-After in body": Refuse(429, "Slow down.", retry_after=0),
    "429, Retry-After in header": Refuse(429, "Slow down.", retry_after=0, retry_after_in="header"),
    "429, Retry-After 60": Refuse(429, "Slow down.", retry_after=60, retry_after_in="both"),
    "500 of the gateway": Refuse(500, "socket hang up", source="gateway"),
    "503 of the provider": Refuse(503, "Busy."),
    "503 as documented": Refuse(503, "Busy.", shape="documented"),
    "400": Refuse(400, "This will not do."),
    "502 in HTML": Html(502),
    "HTML with 200": Html(200),
    "redirect": Redirect("http://127.0.0.1:9/"),
    "empty body": Empty(),
    "empty, no Content-Type": Empty(content_type=None),
    "garbage": Garbage(b"\x00\xff...", "text/plain"),
    "gzip": Gzip(),
    "gzip, truncated": Gzip(broken=True),
    "Content-Type HTML": WrongType(),
    "Content-Type JSON": WrongType("application/json"),
    "Content-Type bytes": WrongType("application/octet-stream"),
    "envelope: data": WrongEnvelope("data"),
    "envelope: bare": WrongEnvelope("bare"),
    "envelope: double": WrongEnvelope("double"),
    "error with 200": ErrorIn200(),
    "error as a line": ErrorInStream(),
    "error as an event": ErrorInStream(form="event"),
    "busy, as the first line": ErrorInStream(0, BUSY, None),
    "busy, as the first event": ErrorInStream(0, BUSY, None, "event"),
    "busy, after the first text": ErrorInStream(12, BUSY, None),
    "end, no finish reason": EndStreamEarly(),
    "DONE, no finish reason": Garbage(NO_FINISH, "text/event-stream"),
    "no end marker": NoDone(),
    "two end markers": DoubleDone(),
    "stream as one JSON": StreamAsJson(),
    "empty chunks": Heartbeats(3),
    "five megabytes": Huge(5),
    "closed when idle": CloseAfter(),
    "no response": Stall(30.0),
    "slow stream": SlowDrip(0.7),
    "endless body": Endless(0.05),
    "restart": Outage(0.15),
}

TABLE = """
fault                      plain   stream  submit  poll     image   start   chunk  record   content
reset before the request   conn*+0 conn*+0 conn*+0 again    conn*+0 conn*+0 conn-1 conn*+1  conn*+0
reset after the request    conn*   conn*   conn*   again+2  conn*   conn*   conn   conn*+2  conn*
closed after the request   conn*   conn*   conn*   again+2  conn*   conn*   conn   conn*+2  conn*
cut before the body        conn    cut     conn    conn     conn    conn    conn   conn*    conn*
cut after the first byte   conn    cut     conn    conn     conn    conn    conn   conn*    conn*
cut after forty bytes      conn    cut     conn    conn     conn    conn    conn   conn*    conn*
cut between chunks         conn    cut     conn    conn     conn    conn    conn   conn*    conn*
cut in a chunk             conn    cut     conn    conn     conn    conn    conn   conn*    conn*
invalid UTF-8              inv     inv     inv     inv      inv     inv     inv    inv      damage
429                        rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, Retry-After in body   rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, Retry-After in header rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, Retry-After 60        rate    rate    rate    late     rate    rate    rate   rate     rate
500 of the gateway         fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+2
503 of the provider        fail*   fail*   fail*   again    fail*   fail*   fail   fail*    fail*
503 as documented          fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+2
400                        bad     bad     bad     bad      bad     bad     bad    bad      bad
502 in HTML                fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+1
HTML with 200              inv     inv     inv     inv      inv     inv     inv    inv      damage
redirect                   bad     bad     bad     bad+1    bad     bad     bad    bad+1    bad+1
empty body                 inv     inv     inv     again    inv     inv     inv    inv      damage
empty, no Content-Type     inv     inv     inv     again    inv     inv     inv    inv      damage
garbage                    inv     inv     inv     inv      inv     inv     inv    inv      damage
gzip                       ok      ok      ok      ok       ok      ok      ok     ok       ok
gzip, truncated            inv     inv     inv     inv      inv     inv     inv    inv      inv
Content-Type HTML          ok      ok      ok      ok       ok      ok      ok     ok       ok
Content-Type JSON          ok      ok      ok      ok       ok      ok      ok     ok       ok
Content-Type bytes         ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: data             ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: bare             ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: double           inv     ok      inv     inv      inv     inv     inv    inv      ok
error with 200             fail*   fail*   fail*   again    fail*   fail*   fail   fail*    damage
error as a line            ok      bad     ok      ok       ok      ok      ok     ok       ok
error as an event          ok      bad     ok      ok       ok      ok      ok     ok       ok
busy, as the first line    ok      fail*   ok      ok       ok      ok      ok     ok       ok
busy, as the first event   ok      fail*   ok      ok       ok      ok      ok     ok       ok
busy, after the first text ok      fail    ok      ok       ok      ok      ok     ok       ok
end, no finish reason      ok      cut     ok      ok       ok      ok      ok     ok       ok
DONE, no finish reason     inv     cut     inv     inv      inv     inv     inv    inv      damage
no end marker              ok      ok      ok      ok       ok      ok      ok     ok       ok
two end markers            ok      ok      ok      ok       ok      ok      ok     ok       ok
stream as one JSON         ok      ok      ok      ok       ok      ok      ok     ok       ok
empty chunks               ok      ok      ok      ok       ok      ok      ok     ok       ok
five megabytes             ok      ok      ok      ok       ok      ok      ok     ok       damage
closed when idle           ok      ok      ok      ok       ok      ok      ok     ok       ok
no response                late    late    late    again    late    late    late   late     late
slow stream                late    stall   late    late     late    late    late   late     late
endless body               late    stall   late    late     late    late    late   late     late
restart                    conn*   conn*   conn*   again+?  conn*   conn*   conn   conn*+2  conn*
"""

# Faults that last until the deadline: all interfaces run concurrently.
SLOW = ("no response", "slow stream", "endless body", "restart")


@dataclass(frozen=True)
class Cell:
    """The expected outcome, and the number of additional requests."""

    outcome: str
    retried: bool
    extra_requests: int | None


def parse_cell(text: str) -> Cell:
    """Parse a cell of the table."""
    for sign in "+-":
        text, found, number = text.partition(sign)
        if found:
            break
    outcome = text.removesuffix("*")
    retried = text.endswith("*")
    if not found:
        extra_requests: int | None = 1 if retried or outcome == "again" else 0
    else:
        extra_requests = None if number == "?" else int(sign + number)
    return Cell(outcome, retried, extra_requests)


def parse_table(text: str) -> dict[str, dict[str, Cell]]:
    """Parse a table: cells by fault and kind of interface."""
    header, *lines = text.strip().splitlines()
    kinds = header.split()[1:]
    rows = {}
    for line in lines:
        (*name,) = line.split()[: -len(kinds)]
        cells = [parse_cell(cell) for cell in line.split()[-len(kinds) :]]
        rows[" ".join(name)] = dict(zip(kinds, cells, strict=True))
    return rows


EXPECTED = parse_table(TABLE)
"""The expected outcomes, by fault and kind of interface."""
