"""What the program costs, measured beside a floor in the same run. See README.md."""
