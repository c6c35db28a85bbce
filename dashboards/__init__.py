"""The two Grafana dashboards, built from code: `python -m dashboards.generate` writes them."""
