"""`make bench`: what a month, small batches and root causes cost, and how often a cause is named right.

Belongs here: made-up data of a large operator, the pieces that are measured, tables of figures. Does not belong here:
assertions (the tests have them), anything that the product needs.
"""
