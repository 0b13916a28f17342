"""The allotment protocol as values and rules that call the shipped code, and a checker that visits every state."""
