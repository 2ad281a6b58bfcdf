"""``python -m doctor``: the same as the command."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the current folder: the target's own modules would be taken for ours
    from doctor.main import run_command

    sys.exit(run_command())
