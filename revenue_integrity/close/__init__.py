"""Rules of the close that all streams share: calendar, reconciliation, causes, ledger, restatement."""
