"""`badger admin`: the commands of those who work on the suite, one file each."""
