"""Pictures: each file draws one, from results that the commands hand it."""
