"""Admission webhook server for Linkerd."""

__version__ = "0.1.0"
