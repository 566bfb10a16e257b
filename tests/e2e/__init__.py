"""The program in front of a real API server, in the place of Linkerd's own injector.

Where things are is told by environment variables; what is not there is skipped, with the reason:

- `WEBHOOK_TEST_KUBECONFIG`: the disposable cluster's kubeconfig. It must be the test cluster, whose Services have their
  endpoints in an annotation and which takes `sa:NAMESPACE:NAME` for a service account's token.
- `WEBHOOK_TEST_LINKERD`: the folder with each line's `control-plane.yaml`; else `../shared/linkerd`.
- `WEBHOOK_TEST_RECORDINGS`: the folder of the injector's recordings; else `../shared/conformance/injector`.
- `WEBHOOK_TEST_RESTART_CLUSTER`: a shell command that restarts the API server on the same port.
"""
