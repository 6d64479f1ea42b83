"""``python -m clusterdns``."""

from clusterdns.cli.main import main

if __name__ == "__main__":
    main()
