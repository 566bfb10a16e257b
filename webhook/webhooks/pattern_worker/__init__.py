"""Judges regular expressions without blocking the event loop: plain ones at once, all others in a worker process."""
