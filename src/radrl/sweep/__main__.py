"""Lets `python -m radrl.sweep ...` do what `radrl sweep ...` does."""

from radrl.sweep.command import main

if __name__ == "__main__":
    raise SystemExit(main())
