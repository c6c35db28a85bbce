"""The wire: frames from a network interface or a capture file, turned into sightings. It never transmits."""
