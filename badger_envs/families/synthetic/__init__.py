"""Tasks drawn from a broad generator: hidden maps, and what is asked and told about them."""
