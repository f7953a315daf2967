"""Find out which batches there are and which of them changed. No results are read here."""
