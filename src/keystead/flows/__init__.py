"""What people and administrators do: each flow reads, asks the rules, writes, and raises."""
