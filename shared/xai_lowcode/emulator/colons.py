"""Addresses with a colon, as a server reads them that takes every colon for a parameter.

`files:initialize` is to it "files" and anything behind: the first such route takes all. And in
`batch_upload/{batch_job_id}:complete` the id ends after one letter.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

FIRST = "/v1/files:initialize"
COMPLETE = "/v1/files/batch_upload/{batch_job_id}:complete"
ANY_VERB = re.compile(r"/v1/files(?P<initialize>[^/]+)", re.IGNORECASE)
CUT = re.compile(r"/v1/files/batch_upload/(?P<batch_job_id>[^/])(?P<complete>[^/]+)", re.IGNORECASE)
OLD_COMPLETE = re.compile(r"/v1/files/batch_upload/batch_job_id(?P<complete>[^/]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Taken:
    """The route that took an address, what it took for its parameters, and what it dragged in."""

    path: str
    values: dict[str, str] = field(default_factory=dict)
    stray: dict[str, str] = field(default_factory=dict)


def taken_as_verb(path: str) -> Taken | None:
    """Reads an address of files with a verb: whichever it is, the first route takes it."""
    found = ANY_VERB.fullmatch(path)
    return Taken(FIRST, stray={"initialize": unquote(found["initialize"])}) if found else None


def taken_new(path: str) -> Taken | None:
    """Reads the new form of completing a batch, and cuts the id."""
    found = CUT.fullmatch(path)
    if found is None:
        return None
    stray = {"complete": unquote(found["complete"])}
    return Taken(COMPLETE, {"batch_job_id": unquote(found["batch_job_id"])}, stray)


def taken_old(path: str, query: dict[str, str], name: str) -> Taken | None:
    """Reads the old form of completing a batch, which comes out right."""
    found = OLD_COMPLETE.fullmatch(path)
    if found is None:
        return None
    stray = {"complete": unquote(found["complete"])}
    return Taken(COMPLETE, {"batch_job_id": query.get(name, "null")}, stray)
