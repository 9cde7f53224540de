"""Keeping a home well: doctor, backup, demo, the UI."""
