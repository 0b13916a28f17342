"""What the pages may ask of the plant. One object, made by `edge.main`; every command answers a value or a Refusal."""
