"""How properties are tried: on the same inputs each time, so that a run fails for what was changed.

``make laws`` looks for new inputs instead, and tries more of them. No clock has a say, and nothing
is kept in the repository's folder.
"""

from hypothesis import settings

settings.register_profile("steady", derandomize=True, max_examples=60, deadline=None, database=None)
settings.register_profile(
    "searching", print_blob=True, max_examples=200, deadline=None, database=None
)
settings.load_profile("steady")
