"""The status page in a real browser, over the real exporter in the lab: what somebody sees and types in an incident."""
