"""Terminal tables, figures and reports. Reads results, and never runs anything."""
