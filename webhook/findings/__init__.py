"""Findings of checks about objects, their rules, and the annotation that silences warnings."""
