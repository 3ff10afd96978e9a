"""Shortlist: a curation hub between a person and an image generator."""

__version__ = "0.1.0"
