"""Cameras that see a plate."""
