"""Lets `python -m radrl.lint ...` do what `radrl lint-reward ...` does."""

from radrl.lint.command import main

if __name__ == "__main__":
    raise SystemExit(main())
