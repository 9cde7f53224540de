"""Alerts: events, the durable outbox, delivery to a real receiver."""
