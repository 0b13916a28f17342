"""Weighing indicators: bytes in, weight readings out."""
