"""Tests of ``landing.reading``."""
