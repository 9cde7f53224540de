"""Stories: what goes wrong in the world, and what the user sees."""
