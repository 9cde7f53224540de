"""Bookings: schedules, terms, tables, reconciliations."""
