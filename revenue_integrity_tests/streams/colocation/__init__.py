"""Tests of the colocation stream: the cases to the cent, and every rule on small worlds worked out by hand."""
