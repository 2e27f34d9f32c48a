"""Commands of `badger` for teachers and students."""
