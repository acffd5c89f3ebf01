"""Agents that call tools in words: their prompts read as tools, and what is decided in their words.

A request in such a protocol is read as one with function tools, so that the same model decides.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xai_lowcode.emulator.answers import Json
from xai_lowcode.emulator.chat.conversation import text_of
from xai_lowcode.emulator.chat.decisions import Call, Decision

CALL_ID = "call_in_words"
# The limits are for the words of the protocol, not for what stands between them.
LIMITS = ("max_tokens", "max_completion_tokens", "stop")

REACT_MARKS = ("Thought:", "Action:", "Action Input:")
REACT_TOOL = re.compile(
    r"Tool Name: (?P<name>\S+)\n"
    r"Tool Description: (?P<purpose>.*?)\n"
    r"Tool Args: (?P<schema>\{[^\n]*\})",
    re.DOTALL,
)
REACT_CALL = re.compile(r"Action: (\S+)\s*\nAction Input: (\{.*\})", re.DOTALL)
REACT_RESULT = re.compile(r"Observation: (.*)", re.DOTALL)

CODE_MARKS = ("<execute>", "</execute>")
# A function that is offered has no body, unlike one of an example.
CODE_TOOL = re.compile(
    r"^(?P<head>def (?P<name>\w+)\(.*\).*:)\n"
    r'(?:\s*"""\n(?P<purpose>(?s:.*?))\n\s*"""\n)?'
    r"\s*\.\.\.$",
    re.MULTILINE,
)
CODE_CALL = re.compile(r"<execute>\nprint\((\w+)\((.*)\)\)\n</execute>", re.DOTALL)
CODE_RESULT = re.compile(r"Result of executing the code[^:\n]*:\s*(.*)", re.DOTALL)
CODE_TYPES = {"int": "integer", "float": "number", "str": "string", "bool": "boolean"}


@dataclass(frozen=True, slots=True)
class Protocol:
    """One way to call tools in words."""

    marks: tuple[str, ...]
    tools: Callable[[str], Iterator[Json]]
    call: re.Pattern[str]
    result: re.Pattern[str]
    write: Callable[[Decision], str]


def protocol_of(body: Json) -> Protocol | None:
    """Finds the protocol that a request describes to the system, if it brings no tools itself."""
    if body.get("tools"):
        return None
    told = instructions(body)
    return next((p for p in PROTOCOLS if all(mark in told for mark in p.marks)), None)


def instructions(body: Json) -> str:
    """What the system is told."""
    return "\n".join(text_of(m.get("content")) for m in body["messages"] if m["role"] == "system")


def as_chat(body: Json, protocol: Protocol) -> Json:
    """Translates a request in words to one with tools; the description of the words is left out."""
    chat = {name: value for name, value in body.items() if name not in LIMITS}
    tools = list(protocol.tools(instructions(body)))
    messages = [_message(m, protocol) for m in body["messages"] if m["role"] != "system"]
    return {**chat, "tools": tools, "messages": messages}


def _message(message: Json, protocol: Protocol) -> Json:
    text = text_of(message.get("content"))
    if message["role"] == "assistant" and (called := protocol.call.search(text)):
        function = {"name": called[1], "arguments": called[2]}
        calls = [{"id": CALL_ID, "type": "function", "function": function}]
        return {"role": "assistant", "content": "", "tool_calls": calls}
    if message["role"] == "user" and (result := protocol.result.match(text)):
        return {"role": "tool", "tool_call_id": CALL_ID, "content": result[1]}
    return message


def _tool(name: str, purpose: str, schema: Json) -> Json:
    function = {"name": name, "description": purpose, "parameters": schema}
    return {"type": "function", "function": function}


# --- ReAct --------------------------------------------------------------------------------------


def _react_tools(told: str) -> Iterator[Json]:
    for found in REACT_TOOL.finditer(told):
        yield _tool(found["name"], found["purpose"], json.loads(found["schema"]))


def _react(decision: Decision) -> str:
    if decision.calls:
        call = decision.calls[0]
        thought = "Thought: I need a tool to help me answer the question."
        return f"{thought}\nAction: {call.name}\nAction Input: {call.arguments}"
    return f"Thought: I can answer without using any more tools.\nAnswer: {decision.text}"


# --- code ---------------------------------------------------------------------------------------


def _code_tools(told: str) -> Iterator[Json]:
    for found in CODE_TOOL.finditer(told):
        yield _tool(found["name"], found["purpose"] or "", _parameters(found["head"]))


def _parameters(head: str) -> Json:
    definition = ast.parse(f"{head} ...").body[0]
    assert isinstance(definition, ast.FunctionDef)  # noqa: S101 - the pattern demands "def"
    arguments = [*definition.args.args, *definition.args.kwonlyargs]
    optional = len(definition.args.defaults)
    required = definition.args.args[: len(definition.args.args) - optional]
    return {
        "type": "object",
        "properties": {argument.arg: _annotated(argument) for argument in arguments},
        "required": [argument.arg for argument in required],
    }


def _annotated(argument: ast.arg) -> Json:
    said = ast.unparse(argument.annotation) if argument.annotation else ""
    return {"type": CODE_TYPES[said]} if said in CODE_TYPES else {}


def _code(decision: Decision) -> str:
    if not decision.calls:
        return decision.text
    return f"<execute>\nprint({_written(decision.calls[0])})\n</execute>"


def _written(call: Call) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in json.loads(call.arguments).items())
    return f"{call.name}({arguments})"


PROTOCOLS = (
    Protocol(REACT_MARKS, _react_tools, REACT_CALL, REACT_RESULT, _react),
    Protocol(CODE_MARKS, _code_tools, CODE_CALL, CODE_RESULT, _code),
)
