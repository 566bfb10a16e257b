"""What is said about objects: rules, findings, and the annotation that silences warnings."""
