"""Which batches there are, and which of them changed."""
