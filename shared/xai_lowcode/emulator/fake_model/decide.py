"""What the emulated model does with a request: speak, call tools, or write JSON.

It decides from the request alone, and the same request always gets the same decision.
"""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from zlib import crc32

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model import prompt_parsing as clues
from xai_lowcode.emulator.fake_model.decision import Call, Decision
from xai_lowcode.emulator.fake_model.prompt_parsing import Conversation, read_conversation
from xai_lowcode.emulator.fake_model.schema_filler import fill
from xai_lowcode.emulator.fake_model.text import speech, thoughts
from xai_lowcode.emulator.fake_model.usage import usage
from xai_lowcode.emulator.handler_types import Json
from xai_lowcode.emulator.serializers.chat_completions import Completion

CALL_IDS = 100_000_000
FEW_WORDS = 2
KEY = re.compile(r"[A-Za-z_][\w-]*")
IDLE_NAME_WORDS = clues.stems(
    "get set fetch do make run call my the a an tool function api of for by"
)
IDLE_WORDS = IDLE_NAME_WORDS | clues.stems(
    "is are to in on at and or with from this that return returns given use used using current "
    "user input value values what which when it its into as be can will please name string"
)


def decide(body: Json, conversation: Conversation, sequence: int, variant: int) -> Decision:
    """Decides on one choice."""
    model = body["model"]
    effort = body.get("reasoning_effort")
    reasoning = thoughts(conversation, effort) if catalogue.reasons(model) else ""
    chosen = _chosen_tools(body, conversation)
    if chosen:
        calls = tuple(
            _call(tool, conversation, f"{sequence}/{variant}/{index}")
            for index, tool in enumerate(chosen)
        )
        return Decision("", calls, reasoning, "tool_calls")
    return spoken(_said(body, conversation, variant), reasoning, body)


def spoken(said: str, reasoning: str, body: Json) -> Decision:
    """Says a text, as far as stop sequences and limits let it."""
    said, stopped_by = _stopped(said, body)
    text, finish = _limited(said, body)
    return Decision(text, (), reasoning, finish, stopped_by if finish == "stop" else None)


def _chosen_tools(body: Json, conversation: Conversation) -> list[Json]:
    """Chooses the tools to call."""
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or "auto"
    if choice == "none":
        return []
    if isinstance(choice, dict):
        named = choice.get("function")
        if named:
            return [tool for tool in tools if tool["function"]["name"] == named["name"]]
        choice = "auto"
    # After the tools have spoken the model does, unless it must call.
    if choice == "auto" and conversation.results:
        return []
    # A model that must call goes on to what it has not called yet, so that agents come to an end.
    fresh = [tool for tool in tools if tool["function"]["name"] not in conversation.called]
    tools = fresh or tools
    chosen = [tool for tool in tools if _mentioned(tool["function"], conversation.prompt)]
    if not chosen and choice == "required":
        chosen = tools[:1]
    return chosen[:1] if _one_only(body) else chosen


def _one_only(body: Json) -> bool:
    return False in (body.get("parallel_tool_calls"), body.get("parallel_function_calling"))


def _mentioned(function: Json, prompt: str) -> bool:
    """Tells whether a prompt speaks of a tool, by its name or by what it is for."""
    if function["name"].lower() in prompt.lower():
        return True
    spoken = clues.stems(prompt)
    name = clues.stems(function["name"]) - IDLE_NAME_WORDS
    if name and 2 * len(name & spoken) >= len(name):
        return True
    purpose = clues.stems(function.get("description") or "") - IDLE_WORDS
    shared = len(purpose & spoken)
    return shared >= FEW_WORDS or (0 < len(purpose) <= FEW_WORDS and shared == len(purpose))


def _call(tool: Json, conversation: Conversation, number: str) -> Call:
    function = tool["function"]
    # Of several things in one prompt a tool gets those that follow its own name.
    spot = max(0, conversation.prompt.lower().find(function["name"].lower()))
    found = clues.gathered(conversation.prompt, spot)
    arguments = fill(function["parameters"] or {"type": "object"}, found)
    identity = f"call_{crc32(number.encode()) % CALL_IDS:08d}"
    return Call(identity, function["name"], _json(arguments))


def _said(body: Json, conversation: Conversation, variant: int) -> str:
    form = body.get("response_format") or {"type": "text"}
    return SPEAKERS[form["type"]](form, conversation, variant)


def _schema_text(form: Json, conversation: Conversation, _: int) -> str:
    found = clues.gathered(_told(conversation))
    return _json(fill(form["json_schema"]["schema"], found, generous=True))


def _object_text(_: Json, conversation: Conversation, __: int) -> str:
    """Writes an object by the schema in the prompt, or with the keys that the prompt quotes."""
    schema = _schema_in(conversation)
    if schema is not None:
        return _json(fill(schema, clues.gathered(conversation.prompt), generous=True))
    everything = clues.gathered(f"{conversation.instructions}\n{conversation.prompt}")
    keys = [text for text in everything.quotations if KEY.fullmatch(text)] or ["answer"]
    about = conversation.prompt or "nothing"
    return _json({key: f"{key}: {about}" for key in keys})


def _free_text(_: Json, conversation: Conversation, variant: int) -> str:
    schema = None if conversation.results else _schema_in(conversation)
    if schema is not None:
        return _json(fill(schema, clues.gathered(conversation.prompt), generous=True))
    return speech(conversation, variant)


def _schema_in(conversation: Conversation) -> Json | None:
    """Finds a JSON schema that the messages hold, as output parsers put it there."""
    text = f"{conversation.instructions}\n{conversation.prompt}"
    decoder = json.JSONDecoder()
    for match in re.finditer(r"\{", text) if '"properties"' in text else ():
        try:
            found: Json = decoder.raw_decode(text, match.start())[0]
        except ValueError:
            continue
        # A schema describes members; an example of one is quoted in the same prompts.
        if isinstance(found.get("properties"), dict) and _describes(found["properties"]):
            return found
    return None


def _describes(properties: Json) -> bool:
    signs = {"type", "$ref", "anyOf", "allOf", "enum"}
    return all(
        isinstance(member, dict) and signs & member.keys() for member in properties.values()
    ) and ("foo" not in properties)


def _told(conversation: Conversation) -> str:
    return "\n".join(text for text in (conversation.prompt, *conversation.results) if text)


def _stopped(text: str, body: Json) -> tuple[str, str | None]:
    """Cuts the text before the first stop sequence, and tells which one it was."""
    spots = [(text.find(stop), stop) for stop in body.get("stop") or [] if stop in text and stop]
    spot, stop = min(spots, default=(len(text), None))
    return text[:spot], stop


def _limited(text: str, body: Json) -> tuple[str, str]:
    """Cuts the text at the limit, which counts visible tokens only."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    found = tokens.pieces(text)
    if limit is None or len(found) <= limit:
        return text, "stop"
    return "".join(found[:limit]), "length"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


SPEAKERS: dict[str, Callable[[Json, Conversation, int], str]] = {
    "text": _free_text,
    "json_object": _object_text,
    "json_schema": _schema_text,
}


def considered(body: Json, sequence: int, findings: tuple[str, ...] = ()) -> Completion:
    """Decides on every choice of an answer, and counts what it took.

    The findings are sentences of tools that the provider has used itself.
    """
    conversation = replace(read_conversation(body["messages"]), findings=findings)
    choices = [
        decide(body, conversation, sequence, variant) for variant in range(body.get("n") or 1)
    ]
    return Completion(body, sequence, choices, usage(body, conversation, choices))
