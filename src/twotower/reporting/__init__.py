"""Everything a person looks at. It reads results and never runs anything."""
