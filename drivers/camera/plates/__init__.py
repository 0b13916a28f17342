"""Number plates in pictures: where they are, what they say, and which truck of a list they belong to.

`locate` finds plates in a whole picture, `rectify` lays one flat, `read` reads it, `match` weighs it against the plates
that are expected, and `eye` joins the four. The two nets lie in `models`; how they were made is in
`drivers.camera.plates_training`, which is not installed.
"""
