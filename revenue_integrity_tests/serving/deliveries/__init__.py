"""Tests of deliveries into SQL databases, against a real PostgreSQL server."""
