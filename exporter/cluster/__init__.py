"""What Kubernetes says: Services followed over the API, or read from an intent file. It never writes to the cluster."""
