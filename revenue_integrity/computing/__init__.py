"""Computing a month of any stream: code versions, staleness, ingestion, publication; without Dagster."""
