"""Completion scripts for shells, written from the commands: static text that starts no Python when Tab is pressed."""
