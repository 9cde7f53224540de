"""Tests of the close pack."""
