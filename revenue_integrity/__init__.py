"""Revenue Integrity: ties what was contracted, metered, billed and booked to the cent, and says why where it does not."""
