"""YAML as Linkerd and kubectl read it: one reader for values, settings, manifests and reviews."""
