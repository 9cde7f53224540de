"""Tests of the sales stream."""
