"""The services as their owners have them: changed by hand, in each framework's own idiom."""
