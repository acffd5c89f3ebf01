"""What the faces and components are asked."""

# Its answer repeats it: characters of several bytes, for faults that break one.
QUESTION = "Repeat 'Grüße an 世界, one two three four five six seven.'"
