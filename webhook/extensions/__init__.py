"""What Linkerd's extensions add to Pods that have the proxy. Pure: no I/O, no clock, no framework."""
