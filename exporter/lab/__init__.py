"""The demo's lab: network namespaces, a stand-in for kube-vip and a small Kubernetes API. The exporter never imports it."""
