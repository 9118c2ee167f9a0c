"""Pure decisions: values in, verdicts out; no clock, no randomness, no I/O."""
