"""Serialize a completion for the Responses API."""

import struct
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.emulator import models
from xai_lowcode.emulator.fake_model.completion import Completion
from xai_lowcode.emulator.fake_model.server_tools import (
    ServerToolUse,
    count_uses,
    find_citations,
    sum_prices,
)
from xai_lowcode.emulator.json_values import Json
from xai_lowcode.emulator.serializers.chat_completions import compute_logprobs
from xai_lowcode.emulator.serializers.messages import encrypt_reasoning
from xai_lowcode.emulator.serializers.responses_input import get_effort
from xai_lowcode.emulator.store import make_uuid
from xai_lowcode.emulator.tokenizer import split_tokens

ENCRYPTED_CONTENT = "reasoning.encrypted_content"


@dataclass(frozen=True, slots=True)
class ResponseOutput:
    """The output of one response, from which its items are made."""

    body: Json
    completion: Completion
    tool_uses: list[ServerToolUse]

    @property
    def id(self) -> str:
        """The id of the response."""
        return self.completion.make_id("response")

    @property
    def is_truncated(self) -> bool:
        """Whether the text reached the token limit."""
        return self.completion.choices[0].finish_reason == "length"

    @property
    def _encrypted(self) -> bool:
        requested = ENCRYPTED_CONTENT in (self.body.get("include") or ())
        return requested or bool(models.ALWAYS_ENCRYPTED.match(self.body["model"]))

    def items(self) -> list[Json]:
        """Return the items. After tool calls, a second reasoning item has the id of the first."""
        choice = self.completion.choices[0]
        shown = self.completion.shows_reasoning
        items: list[Json] = []
        if choice.reasoning and (shown or self._encrypted):
            summary = [{"text": choice.reasoning, "type": "summary_text"}] if shown else []
            items = [self._reasoning_item(f"rs_{self.id}", choice.reasoning, summary)]
        items += [self._tool_item(index, use) for index, use in enumerate(self.tool_uses)]
        if items and self.tool_uses and self._encrypted:
            items += [
                self._tool_output_item(index, use) for index, use in enumerate(self.tool_uses)
            ]
            items.append(self._reasoning_item(f"rs_{self.id}", f"again/{choice.reasoning}", []))
        items += [self._call_item(index) for index in range(len(choice.calls))]
        if choice.text or not choice.calls:
            items.append(self._message_item(choice.text))
        return items

    def _reasoning_item(self, item_id: str, text: str, summary: list[Json]) -> Json:
        item = {"id": item_id, "summary": summary, "type": "reasoning", "status": "completed"}
        return {**item, "encrypted_content": encrypt_reasoning(text)} if self._encrypted else item

    def _tool_item(self, index: int, use: ServerToolUse) -> Json:
        is_custom = use.prefix == "ctc"
        call_id = f"{'xs_call' if is_custom else 'call'}_{self._number(f'use/{index}')}"
        fields = {"call_id": call_id} if is_custom else {}
        item_id = f"{use.prefix}_{self.id}_{call_id}"
        return {"id": item_id, **use.item, **fields, "status": "completed"}

    def _tool_output_item(self, index: int, use: ServerToolUse) -> Json:
        item_id = f"tco_{self.id}_call_{self._number(f'use/{index}')}"
        item = self._reasoning_item(item_id, use.finding, [])
        # The encrypted content of a tool output begins with the id of its item.
        return {**item, "encrypted_content": f"{item_id}_{item['encrypted_content']}"}

    def _number(self, name: str) -> str:
        return f"{uuid.UUID(make_uuid(f'{self.id}/{name}')).int % 10**8:08d}"

    def _call_item(self, index: int) -> Json:
        call = self.completion.choices[0].calls[index]
        return {
            "arguments": call.arguments,
            "call_id": f"call-{make_uuid(f'{self.id}/calls')}-{index}",
            "name": call.name,
            "type": "function_call",
            "id": f"fc_{self.id}_{index}",
            "status": "completed",
        }

    def _message_item(self, text: str) -> Json:
        logprobs = compute_logprobs(self.completion.body, split_tokens(text)) or {}
        part: dict[str, Any] = {
            "type": "output_text",
            "text": text,
            "logprobs": logprobs.get("content", []),
            "annotations": find_citations(text),
        }
        return {
            "content": [part],
            "id": f"msg_{self.id}",
            "role": "assistant",
            "type": "message",
            "status": "incomplete" if self.is_truncated else "completed",
        }


DEFAULTS = {"temperature": 0.7, "top_p": 0.95}


@dataclass(frozen=True, slots=True)
class ResponseSerializer:
    """Serializes one response; those in streams differ in some fields (`streamed`)."""

    output: ResponseOutput
    streamed: bool = False
    now: int = field(default_factory=lambda: int(time.time()))

    def to_body(self) -> Json:
        """Return the completed response object."""
        truncated = self.output.is_truncated
        return {
            **self.to_initial_body(),
            "completed_at": self.now,
            "output": self.output.items(),
            "usage": self._usage(),
            "incomplete_details": {"reason": "max_output_tokens"} if truncated else None,
            "status": "incomplete" if truncated else "completed",
        }

    def to_initial_body(self) -> Json:
        """Return the response object at the start of a stream."""
        body = self.output.body
        return {
            "created_at": self.now,
            "completed_at": None,
            "id": self.output.id,
            "max_output_tokens": body.get("max_output_tokens"),
            "model": body["model"],
            "object": "response",
            "output": [],
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": self._reasoning(),
            **self._sampling(),
            "text": {"format": self._format()},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [self._tool(tool) for tool in body.get("tools") or []],
            "usage": None,
            "user": body.get("user"),
            "incomplete_details": None,
            "status": "in_progress",
            "store": body.get("store") is not False,
            "metadata": {"system_fingerprint": models.fingerprint(body["model"])},
            "background": False,
            "service_tier": "priority" if body.get("service_tier") == "priority" else "default",
            "truncation": "disabled",
            "top_logprobs": body.get("top_logprobs") or 0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "prompt_cache_key": body.get("prompt_cache_key"),
            "max_tool_calls": None,
            "safety_identifier": body.get("safety_identifier"),
            "error": None,
            "instructions": body.get("instructions"),
        }

    def _reasoning(self) -> Json:
        """Return the reasoning options; a stream repeats only those of the request."""
        effort = get_effort(self.output.body)
        summary = (self.output.body.get("reasoning") or {}).get("summary")
        if self.streamed:
            return {"effort": effort, "summary": summary}
        if effort is None and models.effort_error(self.output.body["model"], "low") is None:
            effort = "low"
        return {"effort": effort, "summary": summary or "detailed"}

    def _format(self) -> Json:
        """Return the text format; xAI does not repeat its name and `strict`."""
        text_format = (self.output.body.get("text") or {}).get("format") or {"type": "text"}
        return {name: text_format[name] for name in ("type", "schema") if name in text_format}

    def _sampling(self) -> Json:
        """Return the sampling parameters, which are rounded to 32-bit floats in a stream."""
        body = self.output.body
        values = {name: body.get(name, default) for name, default in DEFAULTS.items()}
        if self.streamed:
            return {name: struct.unpack("f", struct.pack("f", value))[0]
                    for name, value in values.items()}  # fmt: skip
        return values

    def _tool(self, tool: Json) -> Json:
        if tool["type"] == "web_search" and not self.streamed:
            return {**tool, "search_context_size": "medium"}
        return {"strict": False, **tool} if tool["type"] == "function" else tool

    def _usage(self) -> Json:
        """Convert the usage: reasoning tokens are output tokens."""
        chat, uses = self.output.completion.usage, self.output.tool_uses
        output_tokens = chat["total_tokens"] - chat["prompt_tokens"]
        return {
            "input_tokens": chat["prompt_tokens"],
            "input_tokens_details": {
                "cached_tokens": chat["prompt_tokens_details"]["cached_tokens"]
            },
            "output_tokens": output_tokens,
            "output_tokens_details": {
                "reasoning_tokens": chat["completion_tokens_details"]["reasoning_tokens"]
            },
            "total_tokens": chat["total_tokens"],
            "num_sources_used": 0,
            "num_server_side_tools_used": len(uses),
            "cost_in_usd_ticks": chat["cost_in_usd_ticks"] + sum_prices(uses),
            **count_uses(uses),
            "context_details": {
                "input_tokens": chat["prompt_tokens"],
                "output_tokens": output_tokens,
            },
        }
