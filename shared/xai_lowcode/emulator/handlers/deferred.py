"""The room where deferred answers are fetched: pending for a while, there once, then gone."""

from xai_lowcode.emulator.handler_types import Answer, Ask, Blob, absent
from xai_lowcode.emulator.state import DeferredPending

# What becomes of xAI's empty 202 depends on headers that nobody has recorded.
PENDING: dict[DeferredPending, Answer | Blob] = {
    "empty_json": Answer(""),
    "empty": Blob(b"", "text/plain"),
    "null": Answer(None),
    "never": Blob(b"", None),
    "status_202": Blob(b"", "text/plain", 202),
}


async def fetch(ask: Ask) -> Answer | Blob:
    """Gives the answer to a ticket, when it is time."""
    name = ask.path["request_id"]
    ticket = ask.desk.store.tickets.get(name)
    if ticket is None:
        raise absent(f"Deferred completion not found: {name}")
    if ticket.polls < ask.desk.deferred_polls:
        ticket.polls += 1
        return PENDING[ask.desk.deferred_pending]
    del ask.desk.store.tickets[name]
    return Answer(ticket.body)
