"""Datasets as people ask for them: export, dictionary."""
