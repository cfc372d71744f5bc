"""The chapters of the ledger: what arrived, how far each series is, what is on its way, what needs a person."""
