"""Plays scenarios in the lab under the eyes of a real Prometheus and Alertmanager, and checks what these make of it."""
