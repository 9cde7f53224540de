"""Tests of the cloud stream: events to daily cost, to the last of twelve places, on small worlds worked out by hand."""
