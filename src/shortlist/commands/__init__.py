"""What the commands of `shortlist` do; their words and flags are in `cli.py`."""
