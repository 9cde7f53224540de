"""Events worth waking somebody for, and the channels that carry them."""
