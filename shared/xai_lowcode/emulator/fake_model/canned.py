"""Texts for the prompts of the documentation, and answers from a context in the prompt."""

import re

from xai_lowcode.emulator.fake_model.prompt_parsing import MAX_SEARCHED, Conversation, word_stems

RESPONSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in {
        r"why is the sky blue": "Air scatters the short, blue waves of sunlight most.",
        r"count to three": "One, two, three.",
        r"count to five": "One, two, three, four, five.",
        r"what is 3 \*\* 3": "3 ** 3 is 27.",
        r"and 3 \*\* 4": "3 ** 4 is 81.",
        r"say hello to somebody": "Hello, and welcome: good to have you here!",
        r"why a gateway needs a lighthouse": (
            "A gateway sees many ships at night, and most of them look for the same harbour. "
            "A lighthouse tells them where it is before they ask."
        ),
        r"where do foxes live": "Foxes live in dens, in woods and fields, and often in cities.",
        r"who goes there|who are you": "I am a language model, here to answer questions.",
        r"what is fog": "Fog is a cloud of small water drops that touches the ground.",
        r"name three harbours": "Rotterdam, Hamburg and Singapore.",
        r"capital of france": "Paris",
        r"why do ropes have strands": (
            "Coloured strands have marked ropes since the age of sail: they show who made the "
            "rope and what it may carry."
        ),
        r"how are tides foretold": (
            "The moon pulls the sea towards it. Watch when it is highest, note when the water "
            "is, and the tide comes about 50 minutes later every day."
        ),
        r"what is '?vienna'? like": (
            "Vienna is a city of music and coffee houses on the Danube, with palaces in its "
            "centre and vineyards at its edge."
        ),
        r"poem about whales": (
            "Below the ice, below the foam,\nthe whales are singing themselves home;\n"
            "the sea is wide, the song is long,\nand every wave repeats the song."
        ),
    }.items()
)
ASKS_NAME = re.compile(r"what(?:'s| is) my name|do you know my name", re.IGNORECASE)
TELLS_NAME = re.compile(r"\bmy name is ([^\W\d_]{1,40})", re.IGNORECASE)
TELLS_ONLY_NAME = re.compile(r"my name is ([^\W\d_]{1,40})[.!]?", re.IGNORECASE)
HAS_CONTEXT = re.compile(r"\bcontext\b", re.IGNORECASE)
LABEL = re.compile(
    r"^(?:(?:original |refined )?(?:question|query|human|user|answer)\s*:\s*)+", re.IGNORECASE
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
MIN_COMMON_STEMS = 2


def find_response(conversation: Conversation) -> str | None:
    """Return the text for a known prompt, or the answer in a context; None for other prompts."""
    prompt = conversation.prompt[:MAX_SEARCHED].strip()
    told = TELLS_ONLY_NAME.fullmatch(prompt)
    if told:
        return f"Nice to meet you, {told[1]}."
    if ASKS_NAME.search(prompt):
        names = TELLS_NAME.findall(f"{conversation.earlier}\n{prompt}"[-MAX_SEARCHED:])
        return f"Your name is {names[-1]}." if names else "You have not told me your name."
    return _find_in_context(f"{conversation.instructions[:MAX_SEARCHED]}\n{prompt}") or next(
        (text for pattern, text in RESPONSES if pattern.search(prompt)), None
    )


def _find_in_context(text: str) -> str | None:
    """Return the sentence of a context that has the most words of the question."""
    if not HAS_CONTEXT.search(text):
        return None
    parts = [LABEL.sub("", part.strip()) for part in SENTENCE_END.split(text)]
    questions = [part for part in parts if part.endswith("?")]
    if not questions:
        return None
    asked = word_stems(questions[-1])
    sentences = [part for part in parts if not part.endswith("?") and not HAS_CONTEXT.search(part)]
    best = max(sentences, key=lambda part: len(asked & word_stems(part)), default="")
    return best if len(asked & word_stems(best)) >= MIN_COMMON_STEMS else None
