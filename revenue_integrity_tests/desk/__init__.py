"""Tests of ``desk``."""
