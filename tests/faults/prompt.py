"""The prompt of all interfaces and components."""

# The response repeats it: faults cut its characters of several bytes.
PROMPT = "Repeat 'Grüße an 世界, one two three four five six seven.'"
