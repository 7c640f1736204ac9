"""`python -m nacre`, as `torchrun -m nacre` needs it."""

import os
import sys

from nacre.cli.main import main

if __name__ == "__main__":
    code = main()
    if "RANK" in os.environ:
        # Threads of the communication library may outlive it, and at the interpreter's exit that now and then aborts.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)
