"""How it comes to where it runs: image, chart, manifests, units."""
