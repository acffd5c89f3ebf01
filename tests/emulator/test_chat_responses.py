"""Chat completions: text, usage, reasoning, limits, JSON."""

import base64
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import jsonschema
import pytest
from PIL import Image

from xai_lowcode.emulator import running, tokenizer

Ask = Callable[..., httpx.Response]
MODELS = ["grok-4", "grok-4.3", "grok-3", "grok-3-mini", "grok-4.20-0309-non-reasoning"]


def body(answer: httpx.Response) -> Any:
    """Return the provider's body."""
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


def choice(answer: httpx.Response) -> Any:
    """Return the first choice."""
    return body(answer)["choices"][0]


def said(answer: httpx.Response) -> str:
    """Return the text."""
    return str(choice(answer)["message"]["content"])


def test_text_depends_on_the_prompt(ask: Ask) -> None:
    """The text quotes the prompt, in any script."""
    for prompt in ("Hello", "你好啊集团", "Grüße 🎉"):
        assert prompt in said(ask(prompt))


def test_same_request_same_text(ask: Ask) -> None:
    """The same request gets the same text under another id."""
    one, two = body(ask()), body(ask())
    assert one["choices"] == two["choices"]
    assert one["id"] != two["id"]


def test_ids_repeat_from_run_to_run() -> None:
    """Two runs give the same ids in the same order."""
    found = []
    for _ in range(2):
        with running() as gateway:
            answer = httpx.post(
                gateway.base_url + "/v1/chat/completions",
                params={"api_token": gateway.api_token},
                json={"model": "grok-4", "messages": [{"role": "user", "content": "x"}]},
                trust_env=False,
            )
            found.append(body(answer)["id"])
    assert found[0] == found[1]


@pytest.mark.parametrize("model", [*MODELS, "grok-7-preview", "latest"])
def test_model_is_echoed(ask: Ask, model: str) -> None:
    """The model of the response is the one that was asked for."""
    assert body(ask(model=model))["model"] == model


def test_dictation(ask: Ask) -> None:
    """A dictated text is the whole response."""
    assert said(ask("Reply with exactly: 'pong'")) == "pong"


@pytest.mark.parametrize("model", MODELS)
def test_usage_adds_up(ask: Ask, model: str) -> None:
    """The total is prompt and completion and reasoning, and the details are parts of them."""
    usage = body(ask("Tell me a story", model=model))["usage"]
    prompt, completion = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    reasoning = completion["reasoning_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] + reasoning
    assert usage["prompt_tokens"] == prompt["text_tokens"] + prompt["image_tokens"]
    assert 0 < prompt["cached_tokens"] < usage["prompt_tokens"]
    assert (reasoning > 0) == (model not in {"grok-3", "grok-4.20-0309-non-reasoning"})
    assert isinstance(usage["cost_in_usd_ticks"], int)
    assert usage["num_sources_used"] == 0


def test_completion_tokens_are_those_of_the_text(ask: Ask) -> None:
    """The completion counts the visible text alone."""
    answer = ask()
    assert body(answer)["usage"]["completion_tokens"] == tokenizer.count_tokens(said(answer))


def test_longer_conversations_cost_more(ask: Ask) -> None:
    """Earlier messages are counted, and cached."""
    short = body(ask("x"))["usage"]
    history = [{"role": "user", "content": "a b c"}, {"role": "assistant", "content": "d"}]
    long = body(ask(messages=[*history, {"role": "user", "content": "x"}]))["usage"]
    assert long["prompt_tokens"] > short["prompt_tokens"]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (short, long)]
    assert cached[1] > cached[0]


@pytest.mark.parametrize(
    ("model", "visible"),
    [
        ("grok-4.3", True),
        ("grok-3-mini", True),
        ("grok-code-fast-1", True),
        ("grok-build-0.1", True),
        ("grok-4", False),
        ("grok-4-fast", False),
        ("grok-4.7", False),
        ("grok-3", False),
    ],
)
def test_visible_reasoning(ask: Ask, model: str, visible: bool) -> None:
    """Some models show their reasoning, others only bill it."""
    assert ("reasoning_content" in choice(ask(model=model))["message"]) == visible


def test_effort_is_felt(ask: Ask) -> None:
    """More effort is more reasoning, and none is none."""
    spent = [
        body(ask(model="grok-4.3", reasoning_effort=effort))["usage"]["completion_tokens_details"][
            "reasoning_tokens"
        ]
        for effort in ("none", "low", "medium", "high")
    ]
    assert spent[0] == 0
    assert spent == sorted(set(spent))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("limit", [1, 4])
def test_limit(ask: Ask, name: str, limit: int) -> None:
    """A limit cuts the visible text and not the reasoning."""
    answer = ask("story", model="grok-4", **{name: limit})
    assert choice(answer)["finish_reason"] == "length"
    usage = body(answer)["usage"]
    assert usage["completion_tokens"] == limit == tokenizer.count_tokens(said(answer))
    assert usage["completion_tokens_details"]["reasoning_tokens"] > limit


def test_stop(ask: Ask) -> None:
    """The text ends before the first stop sequence."""
    whole = said(ask(model="grok-3"))
    answer = ask(model="grok-3", stop=["help", "You"])
    assert said(answer) == whole[: whole.index("You")]
    assert choice(answer)["finish_reason"] == "stop"


def test_several_choices(ask: Ask) -> None:
    """Several choices have an index, differ, and are all billed."""
    answer = body(ask(n=3))
    assert [one["index"] for one in answer["choices"]] == [0, 1, 2]
    texts = [one["message"]["content"] for one in answer["choices"]]
    assert len(set(texts)) == 3
    assert answer["usage"]["completion_tokens"] == sum(map(tokenizer.count_tokens, texts))


def test_logprobs(ask: Ask) -> None:
    """Log probabilities cover the text token by token; new models have none."""
    answer = ask(model="grok-3", logprobs=True, top_logprobs=2)
    content = choice(answer)["logprobs"]["content"]
    assert "".join(one["token"] for one in content) == said(answer)
    assert all(bytes(one["bytes"]).decode() == one["token"] for one in content)
    assert all(one["logprob"] < 0 and len(one["top_logprobs"]) == 2 for one in content)
    assert "logprobs" not in choice(ask(model="grok-4.3", logprobs=True))
    assert "logprobs" not in choice(ask(model="grok-3"))


def test_pictures_are_described(ask: Ask) -> None:
    """The text describes the images, and they cost tokens."""
    file = BytesIO()
    Image.new("RGB", (12, 7)).save(file, "PNG")
    data = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    parts = [
        {"type": "text", "text": "what?"},
        *(
            {"type": "image_url", "image_url": {"url": url}}
            for url in (data, "https://x.org/c.jpg")
        ),
    ]
    answer = ask(messages=[{"role": "user", "content": parts}])
    assert "2 images: PNG 12x7, one at x.org/c.jpg" in said(answer)
    assert body(answer)["usage"]["prompt_tokens_details"]["image_tokens"] > 0


def test_deferred(ask: Ask) -> None:
    """A deferred request returns a request id."""
    assert set(body(ask(deferred=True))) == {"request_id"}


def test_service_tier(ask: Ask) -> None:
    """The service tier is in the response if it was requested."""
    assert body(ask(service_tier="priority"))["service_tier"] == "priority"
    assert "service_tier" not in body(ask())


SCHEMA = {
    "type": "object",
    "properties": {
        "setup": {"type": "string"},
        "rating": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10}, {"type": "null"}]},
        "kind": {"enum": ["pun", "riddle"]},
    },
    "required": ["setup", "rating", "kind"],
    "additionalProperties": False,
}


def test_json_schema(ask: Ask) -> None:
    """With a JSON schema the response is valid, and filled from the prompt."""
    form = {"type": "json_schema", "json_schema": {"name": "Joke", "schema": SCHEMA}}
    found = json.loads(said(ask("A riddle about 'cats', rated 7", response_format=form)))
    jsonschema.validate(found, SCHEMA)
    assert found == {"setup": "cats", "rating": 7, "kind": "riddle"}


def test_json_object(ask: Ask) -> None:
    """JSON mode gives an object with the keys that the messages quote."""
    form = {"type": "json_object"}
    prompt = "A joke as JSON with the keys 'setup' and \"punchline\"."
    assert set(json.loads(said(ask(prompt, response_format=form)))) == {"setup", "punchline"}
    assert isinstance(json.loads(said(ask("JSON!", response_format=form))), dict)


def test_schema_in_the_prompt(ask: Ask) -> None:
    """A schema in the prompt, as output parsers insert it, is filled too."""
    prompt = f"Tell 'x'. Reply in JSON by this schema:\n{json.dumps(SCHEMA)}"
    jsonschema.validate(json.loads(said(ask(prompt))), SCHEMA)
