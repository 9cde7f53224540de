"""Tests of the assets, runs and checks on a real Dagster instance."""
