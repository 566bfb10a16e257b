"""The objects of an installation, as trees with nodes for the settings."""
