"""Chat completions: text, usage, reasoning, limits, JSON."""

import base64
import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import jsonschema
from PIL import Image

from tests.cases import for_each
from xai_lowcode.emulator import running, tokenizer

Send = Callable[..., httpx.Response]
MODELS = ["grok-4", "grok-4.3", "grok-3", "grok-3-mini", "grok-4.20-0309-non-reasoning"]


def body(response: httpx.Response) -> Any:
    """Return the provider's body."""
    assert response.status_code == 200, response.text
    return response.json()["result"]


def choice(response: httpx.Response) -> Any:
    """Return the first choice."""
    return body(response)["choices"][0]


def text_of(response: httpx.Response) -> str:
    """Return the text."""
    return str(choice(response)["message"]["content"])


def test_text_depends_on_the_prompt(send_chat: Send) -> None:
    """The text quotes the prompt, in any script."""
    for prompt in ("Hello", "你好啊集团", "Grüße 🎉"):
        assert prompt in text_of(send_chat(prompt))


def test_same_request_same_text(send_chat: Send) -> None:
    """The same request gets the same text under another id."""
    one, responses = body(send_chat()), body(send_chat())
    assert one["choices"] == responses["choices"]
    assert one["id"] != responses["id"]


def test_ids_repeat_from_run_to_run() -> None:
    """Two emulators give the same ids in the same order."""
    found = []
    for _ in range(2):
        with running() as gateway:
            response = httpx.post(
                gateway.base_url + "/v1/chat/completions",
                params={"api_token": gateway.api_token},
                json={"model": "grok-4", "messages": [{"role": "user", "content": "x"}]},
                trust_env=False,
            )
            found.append(body(response)["id"])
    assert found[0] == found[1]


@for_each("model", [*MODELS, "grok-7-preview", "latest"])
def test_model_is_echoed(send_chat: Send, model: str) -> None:
    """The model of the response is the requested one."""
    assert body(send_chat(model=model))["model"] == model


def test_dictation(send_chat: Send) -> None:
    """A text that the prompt dictates is the whole response."""
    assert text_of(send_chat("Reply with exactly: 'pong'")) == "pong"


@for_each("model", MODELS)
def test_usage_adds_up(send_chat: Send, model: str) -> None:
    """The total is the sum of prompt, completion and reasoning tokens, with valid details."""
    usage = body(send_chat("Tell me a story", model=model))["usage"]
    prompt, completion = usage["prompt_tokens_details"], usage["completion_tokens_details"]
    reasoning = completion["reasoning_tokens"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] + reasoning
    assert usage["prompt_tokens"] == prompt["text_tokens"] + prompt["image_tokens"]
    assert 0 < prompt["cached_tokens"] < usage["prompt_tokens"]
    assert (reasoning > 0) == (model not in {"grok-3", "grok-4.20-0309-non-reasoning"})
    assert isinstance(usage["cost_in_usd_ticks"], int)
    assert usage["num_sources_used"] == 0


def test_completion_tokens_are_those_of_the_text(send_chat: Send) -> None:
    """The completion tokens are those of the visible text only."""
    response = send_chat()
    assert body(response)["usage"]["completion_tokens"] == tokenizer.count_tokens(text_of(response))


def test_longer_conversations_cost_more(send_chat: Send) -> None:
    """Earlier messages are counted, and cached."""
    short = body(send_chat("x"))["usage"]
    history = [{"role": "user", "content": "a b c"}, {"role": "assistant", "content": "d"}]
    long = body(send_chat(messages=[*history, {"role": "user", "content": "x"}]))["usage"]
    assert long["prompt_tokens"] > short["prompt_tokens"]
    cached = [usage["prompt_tokens_details"]["cached_tokens"] for usage in (short, long)]
    assert cached[1] > cached[0]


@for_each(
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
def test_visible_reasoning(send_chat: Send, model: str, visible: bool) -> None:
    """Some models return their reasoning, others only bill it."""
    assert ("reasoning_content" in choice(send_chat(model=model))["message"]) == visible


def test_reasoning_effort(send_chat: Send) -> None:
    """A higher effort has more reasoning tokens, and "none" has none."""
    reasoning_tokens = [
        body(send_chat(model="grok-4.3", reasoning_effort=effort))["usage"][
            "completion_tokens_details"
        ]["reasoning_tokens"]
        for effort in ("none", "low", "medium", "high")
    ]
    assert reasoning_tokens[0] == 0
    assert reasoning_tokens == sorted(set(reasoning_tokens))


@for_each("name", ["max_tokens", "max_completion_tokens"])
@for_each("limit", [1, 4])
def test_limit(send_chat: Send, name: str, limit: int) -> None:
    """A limit truncates the visible text and not the reasoning."""
    response = send_chat("story", model="grok-4", **{name: limit})
    assert choice(response)["finish_reason"] == "length"
    usage = body(response)["usage"]
    assert usage["completion_tokens"] == limit == tokenizer.count_tokens(text_of(response))
    assert usage["completion_tokens_details"]["reasoning_tokens"] > limit


def test_stop(send_chat: Send) -> None:
    """The text ends before the first stop sequence."""
    whole = text_of(send_chat(model="grok-3"))
    response = send_chat(model="grok-3", stop=["help", "You"])
    assert text_of(response) == whole[: whole.index("You")]
    assert choice(response)["finish_reason"] == "stop"


def test_several_choices(send_chat: Send) -> None:
    """Several choices have an index, differ, and are all billed."""
    response = body(send_chat(n=3))
    assert [one["index"] for one in response["choices"]] == [0, 1, 2]
    texts = [one["message"]["content"] for one in response["choices"]]
    assert len(set(texts)) == 3
    assert response["usage"]["completion_tokens"] == sum(map(tokenizer.count_tokens, texts))


def test_logprobs(send_chat: Send) -> None:
    """Log probabilities cover the text token by token; new models have none."""
    response = send_chat(model="grok-3", logprobs=True, top_logprobs=2)
    content = choice(response)["logprobs"]["content"]
    assert "".join(one["token"] for one in content) == text_of(response)
    assert all(bytes(one["bytes"]).decode() == one["token"] for one in content)
    assert all(one["logprob"] < 0 and len(one["top_logprobs"]) == 2 for one in content)
    assert "logprobs" not in choice(send_chat(model="grok-4.3", logprobs=True))
    assert "logprobs" not in choice(send_chat(model="grok-3"))


def test_images_are_described(send_chat: Send) -> None:
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
    response = send_chat(messages=[{"role": "user", "content": parts}])
    assert "2 images: PNG 12x7, one at x.org/c.jpg" in text_of(response)
    assert body(response)["usage"]["prompt_tokens_details"]["image_tokens"] > 0


def test_deferred(send_chat: Send) -> None:
    """A deferred request returns a request id."""
    assert set(body(send_chat(deferred=True))) == {"request_id"}


def test_service_tier(send_chat: Send) -> None:
    """The service tier is in the response if it was requested."""
    assert body(send_chat(service_tier="priority"))["service_tier"] == "priority"
    assert "service_tier" not in body(send_chat())


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


def test_json_schema(send_chat: Send) -> None:
    """With a JSON schema the response is valid, and filled from the prompt."""
    form = {"type": "json_schema", "json_schema": {"name": "Joke", "schema": SCHEMA}}
    found = json.loads(text_of(send_chat("A riddle about 'cats', rated 7", response_format=form)))
    jsonschema.validate(found, SCHEMA)
    assert found == {"setup": "cats", "rating": 7, "kind": "riddle"}


def test_json_object(send_chat: Send) -> None:
    """JSON mode gives an object with the keys that the messages quote."""
    form = {"type": "json_object"}
    prompt = "A joke as JSON with the keys 'setup' and \"punchline\"."
    assert set(json.loads(text_of(send_chat(prompt, response_format=form)))) == {
        "setup",
        "punchline",
    }
    assert isinstance(json.loads(text_of(send_chat("JSON!", response_format=form))), dict)


def test_schema_in_the_prompt(send_chat: Send) -> None:
    """A schema in the prompt, as output parsers insert it, is filled too."""
    prompt = f"Tell 'x'. Reply in JSON by this schema:\n{json.dumps(SCHEMA)}"
    jsonschema.validate(json.loads(text_of(send_chat(prompt))), SCHEMA)


PRICES = {
    "grok-4.7": (20_000, 5_000, 60_000),
    "grok-latest": (20_000, 5_000, 60_000),
    "grok-99": (20_000, 5_000, 60_000),
    "grok-4.6": (20_000, 5_000, 60_000),
    "grok-4.5": (20_000, 5_000, 60_000),
    "grok-4.3": (12_500, 2_000, 25_000),
    "grok-4-fast-reasoning": (12_500, 2_000, 25_000),
    "grok-code-fast-1": (10_000, 2_000, 20_000),
}


@for_each(("length", "factor"), [(1, 1), (199_900, 1), (200_000, 2)])
@for_each("model", [*PRICES])
def test_prices(send_chat: Send, model: str, length: int, factor: int) -> None:
    """A token has the price of the model that serves the name; long prompts double it."""
    usage = send_chat("a" + " a" * (length - 1), model=model).json()["result"]["usage"]
    cached = usage["prompt_tokens_details"]["cached_tokens"]
    output = usage["total_tokens"] - usage["prompt_tokens"]
    prompt_price, cached_price, output_price = PRICES[model]
    assert (usage["prompt_tokens"] >= 200_000) == (factor == 2)
    assert usage["cost_in_usd_ticks"] == factor * (
        (usage["prompt_tokens"] - cached) * prompt_price
        + cached * cached_price
        + output * output_price
    )


@for_each(
    ("prompts", "text"),
    [
        (["Why is the sky blue? One sentence."], "Air scatters"),
        (["Count to five."], "One, two, three, four, five."),
        (["My name is Ada."], "Nice to meet you, Ada."),
        (["My name is Ada.", "What is my name?"], "Your name is Ada."),
        (["What is my name?"], "You have not told me your name."),
        (
            ["Use the context.\nContext: Foxes sleep in dens. Whales sing.\nQuestion: Who sings?"],
            "Hello! You wrote",
        ),
        (
            [
                (
                    "Context: Foxes sleep in dens. The keeper lives in the old tower."
                    "\nQuery: Where does the keeper live?\nAnswer: "
                )
            ],
            "The keeper lives in the old tower.",
        ),
    ],
)
def test_known_prompts(send_chat: Send, prompts: list[str], text: str) -> None:
    """Prompts of the documentation, names and questions about a context have fitting responses."""
    messages = [
        {"role": role, "content": content}
        for prompt in prompts
        for role, content in (("user", prompt), ("assistant", "Yes."))
    ]
    response = send_chat(messages=messages[:-1]).json()["result"]["choices"][0]["message"]
    assert text in response["content"]
    assert ".." not in response["content"]


def test_tool_results_end_in_one_period(send_chat: Send) -> None:
    """A tool result that is a sentence keeps one period."""
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "Sunny in Vienna."},
    ]
    response = send_chat(messages=messages).json()["result"]["choices"][0]["message"]
    assert response["content"] == "The tools found: Sunny in Vienna."
