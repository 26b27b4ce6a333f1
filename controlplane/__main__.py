"""`graftwork …` and `python -m controlplane …`: every process and every verb."""

from controlplane.cli.app import main

if __name__ == "__main__":
    main()
