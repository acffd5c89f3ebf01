"""What the emulated model says and thinks: friendly, short, and plainly about what it was told."""

import re

from xai_lowcode.emulator.fake_model.prompt_parsing import Conversation

QUOTE_LIMIT = 400
DICTATED = re.compile(
    r"\b(?:say|reply|answer|respond)\b(?: with)?(?: (?:exactly|only|just|the (?:single )?word))*:? "
    r"(?:'([^'\n]+)'|\"([^\"\n]+)\"|\u201c([^\u201d\n]+)\u201d)",
    re.IGNORECASE,
)
LONG = re.compile(
    r"\b(?:story|essay|poem|haikus?|long|detailed|paragraphs?|article)\b", re.IGNORECASE
)
TALE = (
    "Once upon a time there was a small server that wished to be a large one.",
    "Every request that came to its door was greeted and read to the last brace.",
    "Some asked for the weather, some for numbers, and some wanted nothing but a word.",
    "It had no cloud to live in, only a loop that led back to where it began.",
    "Yet you would not have known the difference, for it answered all the same.",
    "When the night came it counted its tokens and found that none was missing.",
    "And if nobody has stopped it, it is listening still.",
)
THOUGHTS = (
    'First, the user wrote: "{prompt}".',
    "There are {length} messages in this conversation so far.",
    "I should look at what is asked, and at what I have been shown.",
    "A short and friendly answer that refers to it will do.",
)
THOUGHTS_BY_EFFORT = {"none": 0, "minimal": 1, "low": 2, "medium": 3}


def speech(conversation: Conversation, variant: int) -> str:
    """Makes the visible answer; further variants say that they are such."""
    dictated = DICTATED.search(conversation.prompt)
    if dictated and not conversation.results:
        return next(text for text in dictated.groups() if text)
    lead = f"(Variant {variant + 1}) " if variant else ""
    sentences = [*_about_results(conversation), *_about_sights(conversation)]
    sentences.append(_about_prompt(conversation))
    sentences.extend(conversation.findings)
    if LONG.search(conversation.prompt):
        sentences.extend(TALE)
    return lead + " ".join(sentences)


def thoughts(conversation: Conversation, effort: str | None) -> str:
    """Makes the reasoning; more effort, more sentences."""
    number = THOUGHTS_BY_EFFORT.get(effort or "medium", len(THOUGHTS))
    text = " ".join(THOUGHTS[:number])
    return text.format(prompt=short(conversation.prompt), length=conversation.length)


def short(text: str) -> str:
    """Cuts a long text."""
    return text if len(text) <= QUOTE_LIMIT else text[:QUOTE_LIMIT] + "…"


def _about_results(conversation: Conversation) -> list[str]:
    if not conversation.results:
        return []
    return [f"The tools found: {'; '.join(short(text) for text in conversation.results)}."]


def _about_sights(conversation: Conversation) -> list[str]:
    sentences = []
    if conversation.pictures:
        number = len(conversation.pictures)
        what = ", ".join(picture.description for picture in conversation.pictures)
        sentences.append(f"I see {number} image{'s' if number > 1 else ''}: {what}.")
    if conversation.files:
        sentences.append(f"I was given {conversation.files} file(s).")
    return sentences


def _about_prompt(conversation: Conversation) -> str:
    if not conversation.prompt:
        return "How can I help you?"
    if conversation.results:
        return f'That is what I can tell you about "{short(conversation.prompt)}".'
    return f'Hello! You wrote: "{short(conversation.prompt)}". How can I help you further?'
