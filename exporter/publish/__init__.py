"""What the outside sees: metrics, the HTTP endpoints and the event log. It reads snapshots and changes nothing."""
