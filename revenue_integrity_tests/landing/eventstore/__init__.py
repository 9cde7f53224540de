"""Tests of ``landing.eventstore``."""
