"""Records the conversations: ``make record``.

With a token from the hosted gateway into ``hosted``, without one from the emulator into
``emulator``. What the emulator said is no evidence of what the hosted service says.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conversations import CONVERSATIONS, Connection
from recorder import EMULATOR_PORT, FOLDER, recorder

from xai_lowcode.emulator import running


def record(source: str, to: Connection) -> None:
    """Records every conversation anew."""
    for path in (FOLDER / source).glob("*.yaml"):
        path.unlink()
    for name, conversation in CONVERSATIONS.items():
        path = FOLDER / source / f"{name}.yaml"
        with recorder("all").use_cassette(str(path)):
            conversation(to)
        print(f"recorded {path.relative_to(FOLDER)}")


def main() -> None:
    """Records from whichever gateway can be reached."""
    token = os.environ.get("LOWCODEAPI_API_TOKEN")
    if token:
        print("Recording from the hosted gateway; this costs a few cents.")
        record("hosted", {"api_token": token})
        return
    print("Recording from the emulator: no LOWCODEAPI_API_TOKEN is set.")
    with running(port=EMULATOR_PORT) as gateway:
        record("emulator", {"api_token": gateway.api_token, "base_url": gateway.base_url})


if __name__ == "__main__":
    main()
