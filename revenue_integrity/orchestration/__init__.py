"""Dagster's part: partitions, assets from tables, checks, jobs, staleness."""
