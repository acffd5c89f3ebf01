"""Law: every recorded response gives the facts of the index, and says what xAI did by itself."""

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import bodies_under
from tests.recorded.parsing import parse, read
from tests.recorded.rendering import plain_of
from tests.recorded.replay import sha256
from xai_lowcode.types.messages import ServerToolPart

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

every_response = pytest.mark.parametrize(
    "case", [case for case in bodies_under("facts") if case.form == "responses"], ids=str
)


@every_response
def test_answers_have_the_facts_of_the_index(case: Case) -> None:
    """Text, reasoning, calls, end and counts are those that were computed apart."""
    expect, told = case.expect, case.expect["usage"]
    reply = read(case.form, [case.content]) if case.stream else parse(case.form, case.json)
    assert (len(reply.text), sha256(reply.text)) == (expect["text_chars"], expect["text_sha256"])
    assert len(reply.reasoning) == expect["reasoning_chars"]
    calls = [[call.name, sha256(call.arguments)] for call in reply.tool_calls]
    assert calls == expect["calls"]
    assert reply.finish_reason == ("tool_calls" if calls else "stop")
    used = reply.usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (told["input"], told["output"])
    assert (used.total_tokens, used.reasoning_tokens) == (told["total"], told["reasoning"])
    assert used.cached_input_tokens == told["cached"]


@every_response
def test_only_function_calls_are_the_callers(case: Case) -> None:
    """What xAI ran itself is shown, and never handed to the caller's tools."""
    output = plain_of(case)["output"]
    reply = parse(case.form, plain_of(case))
    wanted = [item for item in output if item["type"] == "function_call"]
    assert [call.id for call in reply.tool_calls] == [item["call_id"] for item in wanted]
    shown = [part for part in reply.choices[0].parts if isinstance(part, ServerToolPart)]
    kinds = {
        "image_generation_call",
        "web_search_call",
        "x_search_call",
        "custom_tool_call",
        "code_interpreter_call",
    }
    assert [part.kind for part in shown] == [
        item["type"] for item in output if item["type"] in kinds
    ]


@every_response
def test_marks_of_citations_lie_in_the_text(case: Case) -> None:
    """Where a citation has a place, the text has its mark there."""
    reply = parse(case.form, plain_of(case))
    for citation in reply.citations:
        if citation.start is not None:
            mark = reply.text[citation.start : citation.end]
            assert mark == f"[[{citation.title}]]({citation.url})"
