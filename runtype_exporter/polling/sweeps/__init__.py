"""Read all result pages of a batch."""
