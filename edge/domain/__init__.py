"""Pure rules of the trade: no IO, no clock, no logging. Values in, values or a Refusal out."""
