"""One network in place of many experts."""
