"""Running the customer's code: in children that hold nothing of ours, and with an end to everything that they do."""
