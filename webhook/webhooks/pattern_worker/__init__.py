"""Regular expressions judged beside the event loop: plain ones at once, all others in a process of their own."""
