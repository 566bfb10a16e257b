"""Policy objects and ServiceProfiles: what is wrong with them, what is likely wrong, and what to write instead."""
