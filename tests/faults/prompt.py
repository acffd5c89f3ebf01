"""What the interfaces and components are asked."""

# Its answer repeats it: characters of several bytes, for faults that break one.
PROMPT = "Repeat 'Grüße an 世界, one two three four five six seven.'"
