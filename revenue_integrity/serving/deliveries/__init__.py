"""Deliveries: datasets brought into SQL databases, month by month, so that a reader sees an old month or a new one."""
