"""Numbers in documents, written from the boards' results, the cards' rows and the scores."""
