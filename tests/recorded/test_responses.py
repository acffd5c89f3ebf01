"""Each recorded response of the Responses API has the facts of the index and its server tools."""

import pytest

from tests.recorded.bodies import Case, cases
from tests.recorded.laws import bodies_of_law
from tests.recorded.parsing import parse, read
from tests.recorded.rendering import plain_of
from tests.recorded.replay import sha256
from xai_lowcode.types.messages import ServerToolPart

if not cases():
    pytest.skip("the recorded bodies are not beside the repository", allow_module_level=True)

every_response = pytest.mark.parametrize(
    "case", [case for case in bodies_of_law("facts") if case.api == "responses"], ids=str
)


@every_response
def test_responses_have_the_facts_of_the_index(case: Case) -> None:
    """Text, reasoning, tool calls, finish reason and usage equal those of the index."""
    expect, usage = case.expect, case.expect["usage"]
    reply = read(case.api, [case.content]) if case.stream else parse(case.api, case.json)
    assert (len(reply.text), sha256(reply.text)) == (expect["text_chars"], expect["text_sha256"])
    assert len(reply.reasoning) == expect["reasoning_chars"]
    calls = [[call.name, sha256(call.arguments)] for call in reply.tool_calls]
    assert calls == expect["calls"]
    assert reply.finish_reason == ("tool_calls" if calls else "stop")
    used = reply.usage
    assert used is not None
    assert (used.input_tokens, used.output_tokens) == (usage["input"], usage["output"])
    assert (used.total_tokens, used.reasoning_tokens) == (usage["total"], usage["reasoning"])
    assert used.cached_input_tokens == usage["cached"]


@every_response
def test_only_function_calls_are_tool_calls(case: Case) -> None:
    """A call of a server-side tool is a `ServerToolPart`, never a tool call for the caller."""
    output = plain_of(case)["output"]
    reply = parse(case.api, plain_of(case))
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
def test_citations_point_to_their_marks(case: Case) -> None:
    """A citation with a position has its mark at this position of the text."""
    reply = parse(case.api, plain_of(case))
    for citation in reply.citations:
        if citation.start is not None:
            mark = reply.text[citation.start : citation.end]
            assert mark == f"[[{citation.title}]]({citation.url})"
