"""`python -m bench` is the console script `bench`."""

from bench.cli.commands import main

if __name__ == "__main__":
    main()
