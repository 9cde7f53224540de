"""Tests of the close: calendar, reconciliation, causes, ledger, frozen versions, sign-off."""
