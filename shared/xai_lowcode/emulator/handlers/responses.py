"""The rooms of responses: create one, look at a stored one, forget it."""

import uuid
from collections.abc import Sequence

from xai_lowcode.emulator.fake_model.decide import considered
from xai_lowcode.emulator.fake_model.prompt_parsing import read_conversation
from xai_lowcode.emulator.fake_model.server_tools import used
from xai_lowcode.emulator.handler_types import Answer, Ask, Json, absent
from xai_lowcode.emulator.rules.chat import check_request
from xai_lowcode.emulator.rules.responses import check_responses_request
from xai_lowcode.emulator.schemas.responses import MODEL_REQUEST
from xai_lowcode.emulator.serializers.responses import Output, Writer
from xai_lowcode.emulator.serializers.responses_events import frames
from xai_lowcode.emulator.serializers.responses_input import as_chat, items_of
from xai_lowcode.emulator.state import SPACE, StoredResponse

SHAPE = MODEL_REQUEST


async def create(ask: Ask) -> Answer:
    """Answers a conversation, and keeps it unless told not to."""
    body = ask.body
    check_responses_request(body)
    items = [*_earlier(ask), *items_of(body["input"])]
    output = await _output(ask, items)
    answer = Writer(output).whole()
    if body.get("store") is not False:
        stored = StoredResponse(answer, (*items, *answer["output"]))
        ask.desk.store.responses.put(output.id, stored)
    return Answer(answer, frames(Writer(output, streamed=True)) if body.get("stream") else None)


async def retrieve(ask: Ask) -> Answer:
    """Shows a stored answer."""
    return Answer(_stored(ask, ask.path["response_id"]).body)


async def delete(ask: Ask) -> Answer:
    """Forgets a stored answer."""
    name = ask.path["response_id"]
    _stored(ask, name)
    del ask.desk.store.responses[name]
    return Answer({"id": name, "object": "response", "deleted": True})


async def _output(ask: Ask, items: Sequence[Json]) -> Output:
    chat = as_chat(ask.body, items)
    check_request(chat)
    uses = await used(ask.body, read_conversation(chat["messages"]))
    completion = considered(chat, ask.sequence, tuple(use.finding for use in uses))
    if completion.choices[0].calls:
        # The user's own tools come first: the model waits for them.
        uses = []
    name = str(uuid.uuid5(SPACE, f"response/{ask.sequence}"))
    return Output(name, ask.body, completion, uses)


def _earlier(ask: Ask) -> tuple[Json, ...]:
    name = ask.body.get("previous_response_id")
    return _stored(ask, name).items if name else ()


def _stored(ask: Ask, name: str) -> StoredResponse:
    found = ask.desk.store.responses.get(name)
    if found is None:
        raise absent(f"Response with id={name} not found.")
    return found
