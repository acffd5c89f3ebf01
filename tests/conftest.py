"""Set the hypothesis profiles: the same inputs in each run, or random ones (``make test-random``).

No profile has a deadline, and none writes to the repository's folder.
"""

from hypothesis import settings

settings.register_profile(
    "deterministic", derandomize=True, max_examples=40, deadline=None, database=None
)
settings.register_profile("random", print_blob=True, max_examples=200, deadline=None, database=None)
settings.load_profile("deterministic")
