"""Stream 1: contracts, racks, meters, power bills and invoices to monthly margin."""
