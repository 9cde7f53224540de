"""Sales: transactions in JSON as tills and shops send them, as a star schema that ties to ledger and settlements."""
