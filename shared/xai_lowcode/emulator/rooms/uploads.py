"""The rooms where files come in: begun, then sent in chunks; or several in a batch.

What a batch looks like is not published; here it is a list of files that are begun together.
"""

import base64
import binascii
import uuid

from xai_lowcode.emulator.answers import Answer, Ask, absent, coded, invalid
from xai_lowcode.emulator.rooms.files import found
from xai_lowcode.emulator.serde import STRING, Listed, Struct
from xai_lowcode.emulator.switchboard import SPACE

LARGEST = 50 * 1024 * 1024
INITIALIZE = Struct("InitializeUploadRequest", {"name": STRING, "content_type": STRING})
CHUNK = Struct("UploadChunkRequest", {"file_id": STRING, "chunk": STRING})
BATCH = Struct("BatchUploadRequest", {}, {"files": Listed(INITIALIZE)})


async def initialize(ask: Ask) -> Answer:
    """Begins a file."""
    if not ask.body["name"].strip():
        raise invalid("Invalid argument: name must not be empty")
    file = ask.desk.new_file(ask.body["name"], ask.body["content_type"])
    return Answer({"file_id": file.id, "metadata": file.old_card()})


async def chunk(ask: Ask) -> Answer:
    """Adds to a file; there is no sign for the last chunk, so a file is complete after each."""
    file = found(ask, ask.body["file_id"])
    try:
        piece = base64.b64decode(ask.body["chunk"], validate=True)
    except binascii.Error:
        raise invalid("Invalid argument: chunk is not valid base64") from None
    if len(file.content) + len(piece) > LARGEST:
        raise coded(413, "resource-exhausted", f"File size exceeds the limit of {LARGEST} bytes.")
    file.content += piece
    file.complete = True
    return Answer(file.old_card())


async def batch(ask: Ask) -> Answer:
    """Begins a batch, and the files of it."""
    name = f"batch_{uuid.uuid5(SPACE, f'batch/{ask.sequence}')}"
    files = [
        ask.desk.new_file(file["name"], file["content_type"])
        for file in ask.body.get("files") or ()
    ]
    job = {"batch_job_id": name, "status": "in_progress", "files": [file.id for file in files]}
    ask.desk.store.batches.put(name, job)
    return Answer(job)


async def complete(ask: Ask) -> Answer:
    """Ends a batch."""
    name = ask.path["batch_job_id"]
    job = ask.desk.store.batches.get(name)
    if job is None:
        raise absent(f"Batch job not found: {name}")
    job["status"] = "completed"
    return Answer(job)
