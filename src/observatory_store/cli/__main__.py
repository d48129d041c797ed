"""``python -m observatory_store.cli``."""

from observatory_store.cli import main

main()
