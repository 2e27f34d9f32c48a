"""Expert policies: the one function that all experts of an agent share."""
