"""What the bookings stream measures."""
