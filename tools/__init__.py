"""What is run on a checkout, not shipped: generators of committed files."""
