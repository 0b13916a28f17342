"""The shell: asks the domain, commits, acts. Owns the lanes and the gates; pages see only its views."""
