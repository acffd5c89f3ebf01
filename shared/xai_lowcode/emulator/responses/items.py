"""Writing a decision as output items, in the order in which they came about."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from xai_lowcode.emulator import catalogue, tokens
from xai_lowcode.emulator.answers import Json
from xai_lowcode.emulator.chat.completion import Completion
from xai_lowcode.emulator.chat.odds import odds
from xai_lowcode.emulator.messages.writing import signature
from xai_lowcode.emulator.responses.server_tools import Use, citations
from xai_lowcode.emulator.switchboard import SPACE

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
