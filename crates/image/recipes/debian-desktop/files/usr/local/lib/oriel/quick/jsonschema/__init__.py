"""Stands before the real one where oriel-seed.service runs cloud-init, which then leaves out its schema check."""
raise ImportError("left out for a quick start")
