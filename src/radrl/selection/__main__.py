"""Lets `python -m radrl.selection ...` do what `radrl select ...` does."""

from radrl.selection.command import main

if __name__ == "__main__":
    raise SystemExit(main())
