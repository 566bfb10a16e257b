"""Regular expressions judged beside the event loop: what is cheap at once, all else in a process of its own."""
