"""What the sales stream measures."""
