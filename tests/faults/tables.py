"""What must come out of each fault, for each kind of interface: the matrix as a table for people.

A cell says what an application gets:

- ``ok``: the right answer, as if nothing had happened.
- ``again``: the right answer, since the call looks for it again, whatever ``max_retries``.
- a word: the error of that name in ``ERRORS``, and nothing is sent a second time.
- a word with a star: that error with ``max_retries=0``; with ``max_retries=1`` the right answer.
- ``+n``: how many requests more it takes than without the fault, where that is not plain: 0 for
  ``ok`` and for a word, 1 for ``again`` and for a star.

The columns are kinds of requests: a whole answer, a stream, the order of a deferred completion, the
look that fetches it, an image, the begin and the piece of an upload, the record and the content of
a download. An answer that has begun may have been paid for, and is not asked for again; nor is what
can be retrieved only once, or would be in a file twice.
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

# A word of the table: our class, LangChain's, and whether the same call may succeed later.
ERRORS: dict[str, tuple[type[ours.XAILowCodeError], type[Exception], bool]] = {
    "line": (ours.APIConnectionError, theirs.ModelConnectionError, True),
    "trust": (ours.CertificateVerificationError, theirs.ModelConnectionError, False),
    "late": (ours.APITimeoutError, theirs.ModelTimeoutError, True),
    "rate": (ours.RateLimitError, theirs.ModelRateLimitError, True),
    "fail": (ours.InternalServerError, theirs.ModelAPIError, True),
    "bad": (ours.BadRequestError, theirs.ModelInvalidRequestError, False),
    "odd": (ours.InvalidResponseError, theirs.ModelError, False),
    "damage": (ours.CorruptedDownloadError, theirs.ModelError, False),
    "cut": (ours.StreamInterruptedError, theirs.ModelConnectionError, True),
    "stall": (ours.StreamTimeoutError, theirs.ModelTimeoutError, True),
}

BUSY = "The model is currently at capacity due to high demand."
# What no emulator of a service sends, but a gateway that lost the end of a response does.
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
    "half a character": InvalidUTF8(),
    "429": Refuse(429, "Slow down."),
    "429, Retry-After in body": Refuse(429, "Slow down.", retry_after=0),
    "429, Retry-After in header": Refuse(429, "Slow down.", retry_after=0, retry_after_in="header"),
    "429, wait a minute": Refuse(429, "Slow down.", retry_after=60, retry_after_in="both"),
    "500 of the gateway": Refuse(500, "socket hang up", source="gateway"),
    "503 of the provider": Refuse(503, "Busy."),
    "503 as documented": Refuse(503, "Busy.", shape="documented"),
    "400": Refuse(400, "This will not do."),
    "502 in HTML": Html(502),
    "a page with 200": Html(200),
    "redirect": Redirect("http://127.0.0.1:9/"),
    "nothing at all": Empty(),
    "nothing of no type": Empty(content_type=None),
    "garbage": Garbage(b"\x00\xff...", "text/plain"),
    "gzip": Gzip(),
    "gzip, torn": Gzip(broken=True),
    "called HTML": WrongType(),
    "called JSON": WrongType("application/json"),
    "called bytes": WrongType("application/octet-stream"),
    "envelope: data": WrongEnvelope("data"),
    "envelope: none": WrongEnvelope("bare"),
    "envelope: two": WrongEnvelope("double"),
    "error with 200": ErrorIn200(),
    "error as a line": ErrorInStream(),
    "error as an event": ErrorInStream(form="event"),
    "busy, first of all": ErrorInStream(0, BUSY, None),
    "busy, as the first event": ErrorInStream(0, BUSY, None, "event"),
    "busy, after the first text": ErrorInStream(12, BUSY, None),
    "end without reason": EndStreamEarly(),
    "DONE without reason": Garbage(NO_FINISH, "text/event-stream"),
    "no end marker": NoDone(),
    "two end markers": DoubleDone(),
    "stream as one JSON": StreamAsJson(),
    "empty chunks": Heartbeats(3),
    "five megabytes": Huge(5),
    "closed when idle": CloseAfter(),
    "silence": Stall(30.0),
    "drip": SlowDrip(0.7),
    "no end": Endless(0.05),
    "restart": Outage(0.15),
}

TABLE = """
fault                      plain   stream  order   look     image   begin   piece  record   content
reset before the request   line*+0 line*+0 line*+0 again    line*+0 line*+0 line-1 line*+1  line*+0
reset after the request    line*   line*   line*   again+2  line*   line*   line   line*+2  line*
closed after the request   line*   line*   line*   again+2  line*   line*   line   line*+2  line*
cut before the body        line    cut     line    line     line    line    line   line*    line*
cut after the first byte   line    cut     line    line     line    line    line   line*    line*
cut after forty bytes      line    cut     line    line     line    line    line   line*    line*
cut between chunks         line    cut     line    line     line    line    line   line*    line*
cut in a chunk             line    cut     line    line     line    line    line   line*    line*
half a character           odd     odd     odd     odd      odd     odd     odd    odd      damage
429                        rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, Retry-After in body   rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, Retry-After in header rate*   rate*   rate*   again    rate*   rate*   rate   rate*    rate*
429, wait a minute         rate    rate    rate    late     rate    rate    rate   rate     rate
500 of the gateway         fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+2
503 of the provider        fail*   fail*   fail*   again    fail*   fail*   fail   fail*    fail*
503 as documented          fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+2
400                        bad     bad     bad     bad      bad     bad     bad    bad      bad
502 in HTML                fail*   fail*   fail*   again+2  fail*   fail*   fail   fail*+2  fail*+1
a page with 200            odd     odd     odd     odd      odd     odd     odd    odd      damage
redirect                   bad     bad     bad     bad+1    bad     bad     bad    bad+1    bad+1
nothing at all             odd     odd     odd     again    odd     odd     odd    odd      damage
nothing of no type         odd     odd     odd     again    odd     odd     odd    odd      damage
garbage                    odd     odd     odd     odd      odd     odd     odd    odd      damage
gzip                       ok      ok      ok      ok       ok      ok      ok     ok       ok
gzip, torn                 odd     odd     odd     odd      odd     odd     odd    odd      odd
called HTML                ok      ok      ok      ok       ok      ok      ok     ok       ok
called JSON                ok      ok      ok      ok       ok      ok      ok     ok       ok
called bytes               ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: data             ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: none             ok      ok      ok      ok       ok      ok      ok     ok       ok
envelope: two              odd     ok      odd     odd      odd     odd     odd    odd      ok
error with 200             fail*   fail*   fail*   again    fail*   fail*   fail   fail*    damage
error as a line            ok      bad     ok      ok       ok      ok      ok     ok       ok
error as an event          ok      bad     ok      ok       ok      ok      ok     ok       ok
busy, first of all         ok      fail*   ok      ok       ok      ok      ok     ok       ok
busy, as the first event   ok      fail*   ok      ok       ok      ok      ok     ok       ok
busy, after the first text ok      fail    ok      ok       ok      ok      ok     ok       ok
end without reason         ok      cut     ok      ok       ok      ok      ok     ok       ok
DONE without reason        odd    cut     odd     odd      odd     odd     odd    odd      damage
no end marker              ok      ok      ok      ok       ok      ok      ok     ok       ok
two end markers            ok      ok      ok      ok       ok      ok      ok     ok       ok
stream as one JSON         ok      ok      ok      ok       ok      ok      ok     ok       ok
empty chunks               ok      ok      ok      ok       ok      ok      ok     ok       ok
five megabytes             ok      ok      ok      ok       ok      ok      ok     ok       damage
closed when idle           ok      ok      ok      ok       ok      ok      ok     ok       ok
silence                    late    late    late    again    late    late    late   late     late
drip                       late    stall   late    late     late    late    late   late     late
no end                     late    stall   late    late     late    late    late   late     late
restart                    line*   line*   line*   again+?  line*   line*   line   line*+2  line*
"""

# Faults that last until somebody loses patience: their interfaces are asked all at once.
SLOW = ("silence", "drip", "no end", "restart")


@dataclass(frozen=True)
class Cell:
    """One expectation: what comes out, and after how many requests more than are plain."""

    word: str
    repeated: bool
    more: int | None


def read(text: str) -> Cell:
    """Reads a cell of the table."""
    for sign in "+-":
        text, found, number = text.partition(sign)
        if found:
            break
    word = text.removesuffix("*")
    repeated = text.endswith("*")
    if not found:
        more: int | None = 1 if repeated or word == "again" else 0
    else:
        more = None if number == "?" else int(sign + number)
    return Cell(word, repeated, more)


def table(text: str) -> dict[str, dict[str, Cell]]:
    """Reads a table: cells by fault and kind of interface."""
    head, *lines = text.strip().splitlines()
    kinds = head.split()[1:]
    rows = {}
    for line in lines:
        (*name,) = line.split()[: -len(kinds)]
        cells = [read(cell) for cell in line.split()[-len(kinds) :]]
        rows[" ".join(name)] = dict(zip(kinds, cells, strict=True))
    return rows


EXPECTED = table(TABLE)
"""What is expected, by fault and kind of interface."""
