"""Makes the two nets of `drivers.camera.plates` from nothing but drawn plates. Not part of the installed package.

It needs PyTorch (requirements-training.txt). `make plates-model` runs all of it from a seed.
"""
