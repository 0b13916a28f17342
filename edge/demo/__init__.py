"""`weighgate demo`: a whole plant on one machine. Head office and plant are real processes; devices, trucks and people
are played here, at the wire and through the pages. Head office's code is not imported: it is talked to over HTTP.
"""
