"""The close desk: facts of a month, decisions on it, verifying, restating, status, alerts, packs."""
