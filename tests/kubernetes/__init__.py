"""The image, installed on a real Kubernetes as README tells it, and looked at as its users do: through kubectl.

Where things are is told by environment variables; what is not there is skipped, with the reason:

- `WEBHOOK_TEST_KUBERNETES`: the folder of a disposable cluster that `kubernetes.sh up FOLDER` has started. Root is
  needed, as images are put on its node. Whatever is ours there is taken away and made anew.
- `WEBHOOK_TEST_KUBERNETES_SH`: that script, with `linkerd.sh` beside it; else `../shared/kubernetes/kubernetes.sh`.
- `WEBHOOK_TEST_HELM`: helm, where it is not on the PATH.

cluster.py has the cluster and its node, images.py what is put on the node, installation.py our objects, workloads.py
what is to be meshed.
"""
