"""What arrives: source contracts, reading, the manifest of batches, quarantine."""
