"""`make bench`: what the product costs, against what it is compared with, and how often a cause is named right.

Belongs here: measuring, tables of figures; in `streams/` each stream's made-up data, pieces and comparisons. Does not belong
here: assertions (the tests have them), anything that the product needs.
"""
