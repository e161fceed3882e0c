"""Split and encode logs that are larger than memory."""
