"""A ServiceProfile to start from, with each field explained."""

from __future__ import annotations

from typing import Final

from webhook.profiles.profile import Target

_TEXT: Final = r"""# ServiceProfile of {service} in {namespace}: change the routes, then apply it.
apiVersion: linkerd.io/v1alpha2
kind: ServiceProfile
metadata:
  # The Service's full name: Linkerd finds a ServiceProfile by it.
  name: {name}
  namespace: {namespace}
spec:
  # Linkerd counts requests, failures and latencies for each route. The first route that matches a request takes it.
  routes:
  - name: '/authors/{{id}}'
    # Which requests belong to the route. All of the fields that are set have to match.
    condition:
      # A regular expression for the whole path, without the query.
      pathRegex: '/authors/\d+'
      method: POST
      # Conditions also combine, with all, any and not:
      # any:
      # - pathRegex: '/health'
      # - not:
      #     method: GET

    # Whether the proxy may send a failed request again. Only for requests that may safely come twice.
    # isRetryable: true

    # How long a request may take before the proxy ends it.
    # timeout: 250ms

    # Which responses are failures. Without a class that matches, those from 500 on are.
    responseClasses:
    - condition:
        status:
          # With only one of the two, it is this one status.
          min: 500
          max: 599
      isFailure: true

  # How many requests the proxy sends again at most, for all of the routes together.
  # retryBudget:
  #   For each request, on average: with 0.2, a fifth more requests.
  #   retryRatio: 0.2
  #   So many a second are allowed in any case.
  #   minRetriesPerSecond: 10
  #   The time over which requests are counted.
  #   ttl: 10s
"""


def template(target: Target) -> str:
    """The YAML text of a ServiceProfile with one sample route."""
    return _TEXT.format(service=target.service, namespace=target.namespace, name=target.name)
