"""What Kubernetes, or a file in its place, says about the VIPs: intent for the core. Never writes to a cluster."""
