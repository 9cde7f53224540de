"""A stream for the tests of mechanisms, and the example of ``docs/add_a_stream.md``: boats that are rented out."""
