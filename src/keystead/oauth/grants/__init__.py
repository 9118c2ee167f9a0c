"""How a client gets tokens: one file per grant, each only what is its own."""
