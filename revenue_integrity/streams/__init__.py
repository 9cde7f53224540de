"""Lines of business data, each with its own sources and tables."""
