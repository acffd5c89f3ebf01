"""The text and the reasoning of the fake model.

It knows the prompts of the documentation, and answers questions from a context in the prompt.
"""

import re

from xai_lowcode.emulator.fake_model.prompt_parsing import MAX_SEARCHED, Conversation, word_stems

MAX_QUOTE_LENGTH = 400
MAX_RESULTS = 128
DICTATION = (
    r"\b(?:say|reply|answer|respond)\b(?: with)?(?: (?:exactly|only|just|the (?:single )?word))*:? "
)
# By the closing mark; see `prompt_parsing.QUOTATIONS`.
DICTATED = {
    "'": r"'([^'\n]+)'",
    '"': r"\"([^\"\n]+)\"",
    "\u201d": r"\u201c([^\u201d\n]+)\u201d",
}
LONG_TEXT = re.compile(
    r"\b(?:story|essay|poem|haikus?|long|detailed|paragraphs?|article)\b", re.IGNORECASE
)
STORY = (
    "Once upon a time there was a small server that wished to be a large one.",
    "Every request that came to its door was greeted and read to the last brace.",
    "Some asked for the weather, some for numbers, and some wanted nothing but a word.",
    "It had no cloud to live in, only a loop that led back to where it began.",
    "Yet you would not have known the difference, for it answered all the same.",
    "When the night came it counted its tokens and found that none was missing.",
    "And if nobody has stopped it, it is listening still.",
)
REASONING = (
    'First, the user wrote: "{prompt}".',
    "There are {count} messages in this conversation so far.",
    "I should look at what is asked, and at what I have been shown.",
    "A short and friendly answer that refers to it will do.",
)
SENTENCES_BY_EFFORT = {"none": 0, "minimal": 1, "low": 2, "medium": 3}
# Patterns of prompts of the documentation, in any case.
RESPONSES = {
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
}
ASKS_NAME = re.compile(r"what(?:'s| is) my name|do you know my name", re.IGNORECASE)
TELLS_NAME = re.compile(r"\bmy name is ([^\W\d_]{1,40})", re.IGNORECASE)
TELLS_ONLY_NAME = re.compile(r"my name is ([^\W\d_]{1,40})[.!]?", re.IGNORECASE)
HAS_CONTEXT = re.compile(r"\bcontext\b", re.IGNORECASE)
LABEL = re.compile(
    r"^(?:(?:original |refined )?(?:question|query|human|user|answer)\s*:\s*)+", re.IGNORECASE
)
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
MIN_COMMON_STEMS = 2


def generate_text(conversation: Conversation, variant: int) -> str:
    """Return the text of a choice; `variant` is its index."""
    dictation = _find_dictation(conversation.prompt[:MAX_SEARCHED])
    if dictation and not conversation.tool_results:
        return next(text for text in dictation.groups() if text)
    prompt = truncate(conversation.prompt)
    sentences = [f"(Variant {variant + 1})"] if variant else []
    if conversation.tool_results:
        results = "; ".join(truncate(text) for text in conversation.tool_results[:MAX_RESULTS])
        sentences.append(f"The tools found: {results.rstrip('.')}.")
    if conversation.images:
        count = len(conversation.images)
        descriptions = ", ".join(
            truncate(image.description) for image in conversation.images[:MAX_RESULTS]
        )
        sentences.append(f"I see {count} image{'s' if count > 1 else ''}: {descriptions}.")
    if conversation.file_count:
        sentences.append(f"I was given {conversation.file_count} file(s).")
    known = _find_response(conversation)
    if not prompt:
        sentences.append("How can I help you?")
    elif known is not None and not conversation.tool_results:
        sentences.append(known)
    elif not conversation.tool_results:
        sentences.append(f'Hello! You wrote: "{prompt}". How can I help you further?')
    sentences.extend(conversation.findings)
    if LONG_TEXT.search(conversation.prompt):
        sentences.extend(STORY)
    return " ".join(sentences)


def _find_dictation(prompt: str) -> re.Match[str] | None:
    """Return the match of a text that the prompt asks for; one of its groups is the text."""
    kinds = [pattern for mark, pattern in DICTATED.items() if mark in prompt]
    return re.search(f"{DICTATION}(?:{'|'.join(kinds)})", prompt, re.IGNORECASE) if kinds else None


def generate_reasoning(conversation: Conversation, effort: str | None) -> str:
    """Return the reasoning; the effort determines its length."""
    count = SENTENCES_BY_EFFORT.get(effort or "medium", len(REASONING))
    text = " ".join(REASONING[:count])
    return text.format(prompt=truncate(conversation.prompt), count=conversation.message_count)


def truncate(text: str) -> str:
    """Truncate a long prompt."""
    return text if len(text) <= MAX_QUOTE_LENGTH else text[:MAX_QUOTE_LENGTH] + "…"


def _find_response(conversation: Conversation) -> str | None:
    """Return the text for a known prompt, or the answer in a context; None for other prompts."""
    prompt = conversation.prompt[:MAX_SEARCHED].strip()
    told = TELLS_ONLY_NAME.fullmatch(prompt)
    if told:
        return f"Nice to meet you, {told[1]}."
    if ASKS_NAME.search(prompt):
        names = TELLS_NAME.findall(f"{conversation.earlier}\n{prompt}"[-MAX_SEARCHED:])
        return f"Your name is {names[-1]}." if names else "You have not told me your name."
    known = (
        text for pattern, text in RESPONSES.items() if re.search(pattern, prompt, re.IGNORECASE)
    )
    in_context = _find_in_context(f"{conversation.instructions[:MAX_SEARCHED]}\n{prompt}")
    return in_context or next(known, None)


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
