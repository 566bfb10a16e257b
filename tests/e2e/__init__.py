"""The program in front of a real API server, in the place of Linkerd's own injector."""
