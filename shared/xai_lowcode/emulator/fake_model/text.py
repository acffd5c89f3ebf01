"""The text and the reasoning of the fake model."""

import re

from xai_lowcode.emulator.fake_model.canned import find_response
from xai_lowcode.emulator.fake_model.prompt_parsing import MAX_SEARCHED, Conversation

MAX_QUOTE_LENGTH = 400
MAX_RESULTS = 128
DICTATION = re.compile(
    r"\b(?:say|reply|answer|respond)\b(?: with)?(?: (?:exactly|only|just|the (?:single )?word))*:? "
    r"(?:'([^'\n]+)'|\"([^\"\n]+)\"|\u201c([^\u201d\n]+)\u201d)",
    re.IGNORECASE,
)
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


def generate_text(conversation: Conversation, variant: int) -> str:
    """Return the text of a choice; `variant` is its index."""
    dictation = DICTATION.search(conversation.prompt[:MAX_SEARCHED])
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
    known = find_response(conversation)
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


def generate_reasoning(conversation: Conversation, effort: str | None) -> str:
    """Return the reasoning; the effort determines its length."""
    count = SENTENCES_BY_EFFORT.get(effort or "medium", len(REASONING))
    text = " ".join(REASONING[:count])
    return text.format(prompt=truncate(conversation.prompt), count=conversation.message_count)


def truncate(text: str) -> str:
    """Truncate a long prompt."""
    return text if len(text) <= MAX_QUOTE_LENGTH else text[:MAX_QUOTE_LENGTH] + "…"
