"""Other people's readers of Chinese plates, each in an environment of its own, measured beside ours."""
