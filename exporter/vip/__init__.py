"""The pure core: from sightings and intent to a verdict on who holds each VIP. No I/O, no clock, no logging."""
