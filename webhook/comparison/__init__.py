"""What an upgrade of Linkerd from one release to another changes in Pods, settings, annotations and verdicts."""
