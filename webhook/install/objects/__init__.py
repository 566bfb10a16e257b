"""The objects of an installation, each written once, with holes for the settings."""
