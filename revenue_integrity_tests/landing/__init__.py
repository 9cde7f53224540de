"""The landing zone: files, values, batches, versions, healing, slices."""
