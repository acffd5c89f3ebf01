"""``python -m xai_lowcode``: the command ``xai-lowcode``."""

from xai_lowcode.cli import main

if __name__ == "__main__":
    main()
