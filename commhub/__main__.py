"""`python -m commhub`: the same as the command `commhub`."""

from commhub.cli import main

if __name__ == "__main__":
    main()
