"""Findings as people, CI and other programs want them: one module a form, each with `write(result) -> str`."""
