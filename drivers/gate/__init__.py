"""Barriers, lamps and loops."""
