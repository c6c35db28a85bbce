"""`python -m exporter` is `vip-exporter`."""

import sys

from exporter.cli import main

sys.exit(main())
