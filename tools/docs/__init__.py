"""What the documentation site shows and no file in `docs/` says: pages made from code, results and labs."""
