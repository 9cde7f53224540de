"""Tests of the library of causes: over frames of their own, and over random ones."""
