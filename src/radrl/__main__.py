"""Lets `python -m radrl ...` do what `radrl ...` does."""

from radrl.cli import main

if __name__ == "__main__":
    main()
