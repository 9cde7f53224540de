"""Tests of ``computing``."""
