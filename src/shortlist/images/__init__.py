"""Bytes: pictures checked, made smaller and kept under their content hash."""
