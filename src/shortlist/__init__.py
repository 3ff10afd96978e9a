"""Shortlist: a curation hub between a person and an image generator."""

import os

__version__ = "0.1.0"

# Read when numpy is first imported. Our matrices are small: OpenBLAS's own threads wait longer for
# each other than they reckon, take the processor from who votes, and do not outlive a fork.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
