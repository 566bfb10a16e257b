"""What Prometheus and Grafana get: alerts and a board, each written once for `deploy/` and for the chart."""
