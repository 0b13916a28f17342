"""Ticket printers: a document in, paper out."""
