"""The two Grafana dashboards, built from code: `make generate` writes them."""
