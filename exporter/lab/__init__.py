"""The demo's lab: namespaces, a stand-in for kube-vip, a small Kubernetes API. The exporter never imports it."""
