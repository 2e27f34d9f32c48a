"""The static site: what boards say, as pages that open from disk."""
