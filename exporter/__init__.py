"""vip-exporter: which node holds the virtual IP, who says so, and since when."""

__version__ = "0.1.0"
