"""Reads the dashboards as Grafana does, asks what they ask, and draws what they show; it plays nothing."""
