"""Stream 2: billing events and FOCUS exports to canonical daily account cost."""
