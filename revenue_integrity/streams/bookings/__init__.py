"""Bookings: what deals promise against what accounting recognized."""
