"""The Pods of a cluster: which have Linkerd's proxy, which should, and whether it is the one it would get now."""
