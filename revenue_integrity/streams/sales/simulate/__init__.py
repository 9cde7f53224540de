"""The systems of a shop, simulated: tills, a web shop and an app that write JSON, a ledger, a payment processor.

Belongs here: what such systems would have sent, month by month, and the faults in it; how it is asked for stands in
``simulator``. Does not belong here: anything of the pipeline, which does not know that this exists. Amounts are computed here a
second time, in plain integers, so that a mistake of the pipeline shows as a difference.
"""
