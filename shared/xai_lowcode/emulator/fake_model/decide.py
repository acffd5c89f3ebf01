"""Decide how to respond to a chat request: with text, with function calls or with JSON.

The decision depends on the request alone; the same request always gets the same choices.
"""

import json
import re
from dataclasses import replace
from itertools import islice
from typing import Any
from zlib import crc32

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.completion import (
    Completion,
    CompletionChoice,
    FunctionCall,
    compute_usage,
    replace_usage,
)
from xai_lowcode.emulator.fake_model.prompt_parsing import (
    Conversation,
    extract_hints,
    parse_conversation,
    word_stems,
)
from xai_lowcode.emulator.fake_model.schema_filler import fill_schema
from xai_lowcode.emulator.fake_model.text import generate_reasoning, generate_text, truncate
from xai_lowcode.emulator.handler_types import HandlerRequest
from xai_lowcode.emulator.json_values import Json, dump_json, is_deeper
from xai_lowcode.emulator.provider_errors import ProviderError
from xai_lowcode.emulator.replies import Reply, take_reply
from xai_lowcode.emulator.rules.json_schema import check_schema
from xai_lowcode.emulator.tokenizer import split_tokens
from xai_lowcode.emulator.validation import MAX_DEPTH

MAX_CALL_ID = 100_000_000
# How many keys of an object, and how many places of a schema, are searched in a prompt.
MAX_KEYS = 20
MAX_SCHEMAS = 20
FEW_WORDS = 2
KEY = re.compile(r"[A-Za-z_][\w-]*")
SCHEMA_KEYWORDS = {"type", "$ref", "anyOf", "allOf", "enum"}
NAME_STOP_WORDS = word_stems(
    "get set fetch do make run call my the a an tool function api of for by"
)
STOP_WORDS = NAME_STOP_WORDS | word_stems(
    "is are to in on at and or with from this that return returns given use used using current "
    "user input value values what which when it its into as be can will please name string"
)


def complete(body: Json, request: HandlerRequest, findings: tuple[str, ...] = ()) -> Completion:
    """Complete a chat request, with the next scripted reply if there is one.

    Args:
        body: The request in the Chat Completions format.
        request: The request of the handler.
        findings: Sentences that server-side tools contribute to the text.
    """
    conversation = replace(parse_conversation(body["messages"]), findings=findings)
    reply = take_reply(request.emulator.replies, request.body)
    choices = [
        _generate_choice(body, conversation, f"{request.sequence}/{variant}", variant, reply)
        for variant in range(body.get("n") or 1)
    ]
    usage = compute_usage(body, conversation, choices)
    if reply is not None and reply.usage is not None:
        usage = replace_usage(usage, reply.usage)
    return Completion(body, request.sequence, choices, usage)


def _generate_choice(
    body: Json, conversation: Conversation, identity: str, variant: int, reply: Reply | None
) -> CompletionChoice:
    reasoning = ""
    if models.is_reasoning(body["model"]):
        reasoning = generate_reasoning(conversation, body.get("reasoning_effort"))
    if reply is None:
        tools = _choose_tools(body, conversation)
        called = [_arguments(tool["function"], conversation) for tool in tools]
    else:
        called = list(reply.tool_calls)
    if called:
        calls = tuple(
            FunctionCall(_call_id(f"{identity}/{index}"), name, _dump_arguments(arguments))
            for index, (name, arguments) in enumerate(called)
        )
        text = "" if reply is None else reply.text
        return CompletionChoice(text, calls, reasoning, "tool_calls")
    text = _generate_content(body, conversation, variant) if reply is None else reply.text
    text, stop_sequence = _apply_stop(text, body)
    text, finish_reason = _apply_limit(text, body)
    return CompletionChoice(
        text, (), reasoning, finish_reason, stop_sequence if finish_reason == "stop" else None
    )


def _dump_arguments(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else dump_json(dict(arguments))


def _choose_tools(body: Json, conversation: Conversation) -> list[Json]:
    tools = body.get("tools") or []
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict):
        if choice.get("function"):
            name = choice["function"]["name"]
            return [tool for tool in tools if tool["function"]["name"] == name]
        choice = "auto"
    # After tool results the model responds with text, unless it must call a tool.
    if choice == "none" or (choice == "auto" and conversation.tool_results):
        return []
    # A model that must call a tool prefers those it has not called yet, so that agents end.
    called = conversation.called_tools
    tools = [tool for tool in tools if tool["function"]["name"] not in called] or tools
    prompt, words = conversation.prompt.lower(), word_stems(conversation.prompt) if tools else set()
    chosen = [tool for tool in tools if _is_mentioned(tool["function"], prompt, words)]
    if not chosen and choice == "required":
        chosen = tools[:1]
    single = False in (body.get("parallel_tool_calls"), body.get("parallel_function_calling"))
    return chosen[:1] if single else chosen


def _is_mentioned(function: Json, prompt: str, words: set[str]) -> bool:
    """Return True if a prompt has the name of a function, or words of its description.

    Args:
        function: The function.
        prompt: The prompt in lower case.
        words: The stems of the words of the prompt.
    """
    if function["name"].lower() in prompt:
        return True
    name = word_stems(function["name"]) - NAME_STOP_WORDS
    if name and 2 * len(name & words) >= len(name):
        return True
    description = word_stems(function.get("description") or "") - STOP_WORDS
    shared = len(description & words)
    return shared >= FEW_WORDS or (0 < len(description) <= FEW_WORDS and shared == len(description))


def _call_id(identity: str) -> str:
    return f"call_{crc32(identity.encode()) % MAX_CALL_ID:08d}"


def _arguments(function: Json, conversation: Conversation) -> tuple[str, Any]:
    """Return the name of a function, and arguments from the prompt."""
    # The values after the name of the function are used first.
    start = max(0, conversation.prompt.lower().find(function["name"].lower()))
    hints = extract_hints(conversation.prompt, start)
    return function["name"], fill_schema(function["parameters"] or {"type": "object"}, hints)


def _generate_content(body: Json, conversation: Conversation, variant: int) -> str:
    response_format = body.get("response_format") or {"type": "text"}
    if response_format["type"] == "json_schema":
        schema = response_format["json_schema"]["schema"]
        texts = (conversation.prompt, *conversation.tool_results)
        hints = extract_hints("\n".join(text for text in texts if text))
        return dump_json(fill_schema(schema, hints, fill_optional=True))
    json_object = response_format["type"] == "json_object"
    if json_object or not conversation.tool_results:
        prompt_schema = _find_schema(conversation)
        if prompt_schema is not None:
            hints = extract_hints(conversation.prompt)
            return dump_json(fill_schema(prompt_schema, hints, fill_optional=True))
    return _json_object(conversation) if json_object else generate_text(conversation, variant)


def _json_object(conversation: Conversation) -> str:
    """Return an object with the keys that are quoted in the prompt."""
    hints = extract_hints(f"{conversation.instructions}\n{conversation.prompt}")
    keys = [text for text in hints.quotations if KEY.fullmatch(text)][:MAX_KEYS] or ["answer"]
    prompt = truncate(conversation.prompt) or "nothing"
    return dump_json({key: f"{key}: {prompt}" for key in keys})


def _find_schema(conversation: Conversation) -> Json | None:
    """Find a JSON schema in the messages, as output parsers insert it."""
    text = f"{conversation.instructions}\n{conversation.prompt}"
    decoder = json.JSONDecoder()
    starts = re.finditer(r"\{", text) if '"properties"' in text else iter(())
    for match in islice(starts, MAX_SCHEMAS):
        try:
            schema: Json = decoder.raw_decode(text, match.start())[0]
            if is_deeper(schema, MAX_DEPTH):
                continue
            check_schema("prompt", schema)
        except (ValueError, RecursionError, ProviderError):
            continue
        properties = schema.get("properties")
        # LangChain's format instructions have an example with the property `foo`.
        if (
            isinstance(properties, dict)
            and "foo" not in properties
            and all(
                isinstance(child, dict) and SCHEMA_KEYWORDS & child.keys()
                for child in properties.values()
            )
        ):
            return schema
    return None


def _apply_stop(text: str, body: Json) -> tuple[str, str | None]:
    """Cut the text before the first stop sequence; return the sequence too."""
    matches = [(text.find(stop), stop) for stop in body.get("stop") or [] if stop in text and stop]
    index, stop = min(matches, default=(len(text), None))
    return text[:index], stop


def _apply_limit(text: str, body: Json) -> tuple[str, str]:
    """Cut the text at the token limit, which does not count reasoning; return a finish reason."""
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit is None:
        return text, "stop"
    tokens = split_tokens(text)
    if len(tokens) <= limit:
        return text, "stop"
    return "".join(tokens[:limit]), "length"
