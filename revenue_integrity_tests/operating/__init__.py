"""Tests of ``operating``."""
