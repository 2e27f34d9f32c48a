"""What boards say, as pages for the documentation."""
