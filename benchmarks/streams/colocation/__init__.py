"""What the colocation stream measures."""
