"""Writing a decision as output items, in the order in which they came about."""

import struct
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from xai_lowcode.emulator import models as catalogue
from xai_lowcode.emulator import tokenizer as tokens
from xai_lowcode.emulator.fake_model.server_tools import TICKS_PER_CALL, Use, citations, counted
from xai_lowcode.emulator.handler_types import Json
from xai_lowcode.emulator.models import fingerprint
from xai_lowcode.emulator.serializers.chat_completions import Completion, odds
from xai_lowcode.emulator.serializers.messages import signature
from xai_lowcode.emulator.serializers.responses_input import effort
from xai_lowcode.emulator.state import SPACE

ENCRYPTED = "reasoning.encrypted_content"


@dataclass(frozen=True, slots=True)
class Output:
    """Everything that the items are made of."""

    id: str
    body: Json
    completion: Completion
    uses: list[Use]

    @property
    def is_cut(self) -> bool:
        """Whether the text was longer than allowed."""
        return self.completion.choices[0].finish == "length"

    @property
    def _encrypted(self) -> bool:
        asked = ENCRYPTED in (self.body.get("include") or ())
        return asked or bool(catalogue.ALWAYS_ENCRYPTED.match(self.body["model"]))

    def items(self) -> list[Json]:
        """Writes the items; after a search, a second thought repeats the id of the first."""
        decision = self.completion.choices[0]
        found = [*self._thoughts(decision.reasoning)]
        found += [self._use(index, use) for index, use in enumerate(self.uses)]
        if found and self.uses and self._encrypted:
            found += [self._tool_output(index, use) for index, use in enumerate(self.uses)]
            found.append(self._sealed(f"rs_{self.id}", f"again/{decision.reasoning}"))
        found += [self._call(index) for index in range(len(decision.calls))]
        if decision.text or not decision.calls:
            found.append(self._message(decision.text))
        return found

    def _thoughts(self, text: str) -> Iterator[Json]:
        """Shows thoughts where the model does, and their sealed form where it is asked for."""
        shown = catalogue.shows_reasoning(self.body["model"])
        if not text or not (shown or self._encrypted):
            return
        summary = [{"text": text, "type": "summary_text"}] if shown else []
        item: Json = {"id": f"rs_{self.id}", "summary": summary, "type": "reasoning"}
        item["status"] = "completed"
        yield {**item, "encrypted_content": signature(text)} if self._encrypted else item

    def _sealed(self, name: str, text: str) -> Json:
        head = {"id": name, "summary": [], "type": "reasoning", "status": "completed"}
        return {**head, "encrypted_content": signature(text)}

    def _use(self, index: int, use: Use) -> Json:
        call = f"{'xs_call' if use.prefix == 'ctc' else 'call'}_{self._number(f'use/{index}')}"
        called = {"call_id": call} if use.prefix == "ctc" else {}
        name = f"{use.prefix}_{self.id}_{call}"
        return {"id": name, **use.item, **called, "status": "completed"}

    def _tool_output(self, index: int, use: Use) -> Json:
        name = f"tco_{self.id}_call_{self._number(f'use/{index}')}"
        sealed = self._sealed(name, use.finding)
        # Outputs of tools bear their name before the seal.
        return {**sealed, "encrypted_content": f"{name}_{sealed['encrypted_content']}"}

    def _number(self, name: str) -> str:
        return f"{uuid.uuid5(SPACE, f'{self.id}/{name}').int % 10**8:08d}"

    def _call(self, index: int) -> Json:
        call = self.completion.choices[0].calls[index]
        return {
            "arguments": call.arguments,
            "call_id": f"call-{uuid.uuid5(SPACE, f'{self.id}/calls')}-{index}",
            "name": call.name,
            "type": "function_call",
            "id": f"fc_{self.id}_{index}",
            "status": "completed",
        }

    def _message(self, text: str) -> Json:
        part: dict[str, Any] = {
            "type": "output_text",
            "text": text,
            "logprobs": (odds(self.completion.body, tokens.pieces(text)) or {}).get("content", []),
            "annotations": citations(text),
        }
        return {
            "content": [part],
            "id": f"msg_{self.id}",
            "role": "assistant",
            "type": "message",
            "status": "incomplete" if self.is_cut else "completed",
        }


DEFAULTS = {"temperature": 0.7, "top_p": 0.95}


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one answer, `streamed` with the small differences that streams were seen to have."""

    output: Output
    streamed: bool = False
    now: int = field(default_factory=lambda: int(time.time()))

    def whole(self) -> Json:
        """Writes the answer."""
        cut = self.output.is_cut
        return self._object(
            completed_at=self.now,
            output=self.output.items(),
            usage=self._usage(),
            incomplete_details={"reason": "max_output_tokens"} if cut else None,
            status="incomplete" if cut else "completed",
        )

    def begun(self) -> Json:
        """Writes the answer as it is before anything has come of it."""
        return self._object(
            completed_at=None, output=[], usage=None, incomplete_details=None, status="in_progress"
        )

    def _object(self, **state: Any) -> Json:
        body = self.output.body
        return {
            "created_at": self.now,
            "completed_at": state["completed_at"],
            "id": self.output.id,
            "max_output_tokens": body.get("max_output_tokens"),
            "model": body["model"],
            "object": "response",
            "output": state["output"],
            "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": self._reasoning(),
            **self._sampling(),
            "text": {"format": self._format()},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": [self._tool(tool) for tool in body.get("tools") or []],
            "usage": state["usage"],
            "user": body.get("user"),
            "incomplete_details": state["incomplete_details"],
            "status": state["status"],
            "store": body.get("store") is not False,
            **self._constants(),
        }

    def _constants(self) -> Json:
        """Writes the members that hardly ever say anything."""
        body = self.output.body
        return {
            "metadata": {"system_fingerprint": fingerprint(body["model"])},
            "background": False,
            "service_tier": "priority" if body.get("service_tier") == "priority" else "default",
            "truncation": "disabled",
            "top_logprobs": body.get("top_logprobs") or 0,
            "presence_penalty": 0.0,
            "frequency_penalty": 0.0,
            "prompt_cache_key": body.get("prompt_cache_key"),
            "max_tool_calls": None,
            "safety_identifier": None,
            "error": None,
            "instructions": body.get("instructions"),
        }

    def _reasoning(self) -> Json:
        """Tells the effort; streams tell only what was asked for."""
        model, asked = self.output.body["model"], effort(self.output.body)
        summary = (self.output.body.get("reasoning") or {}).get("summary")
        if self.streamed:
            return {"effort": asked, "summary": summary}
        takes_effort = catalogue.effort_problem(model, "low") is None
        return {
            "effort": asked or ("low" if takes_effort else None),
            "summary": summary or "detailed",
        }

    def _format(self) -> Json:
        """Tells the format, of which name and strictness were not seen to come back."""
        asked = (self.output.body.get("text") or {}).get("format") or {"type": "text"}
        return {name: asked[name] for name in ("type", "schema") if name in asked}

    def _sampling(self) -> Json:
        """Tells temperature and the like; in streams they have been through 32 bits."""
        body = self.output.body
        found = {name: body.get(name, usual) for name, usual in DEFAULTS.items()}
        if self.streamed:
            return {name: struct.unpack("f", struct.pack("f", value))[0]
                    for name, value in found.items()}  # fmt: skip
        return found

    def _tool(self, tool: Json) -> Json:
        if tool["type"] == "web_search" and not self.streamed:
            return {**tool, "search_context_size": "medium"}
        return {"strict": False, **tool} if tool["type"] == "function" else tool

    def _usage(self) -> Json:
        """Counts thoughts as output, which chat completions do not."""
        chat, uses = self.output.completion.usage, self.output.uses
        spent = chat["total_tokens"] - chat["prompt_tokens"]
        return {
            "input_tokens": chat["prompt_tokens"],
            "input_tokens_details": {
                "cached_tokens": chat["prompt_tokens_details"]["cached_tokens"]
            },
            "output_tokens": spent,
            "output_tokens_details": {
                "reasoning_tokens": chat["completion_tokens_details"]["reasoning_tokens"]
            },
            "total_tokens": chat["total_tokens"],
            "num_sources_used": 0,
            "num_server_side_tools_used": len(uses),
            "cost_in_usd_ticks": chat["cost_in_usd_ticks"] + TICKS_PER_CALL * len(uses),
            **counted(uses),
            "context_details": {"input_tokens": chat["prompt_tokens"], "output_tokens": spent},
        }
