"""What the cloud stream measures."""
