"""`python -m nacre`, as `torchrun -m nacre` needs it."""

from nacre.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
