"""Workers on a Ray cluster, and what stands for them in the loop. Only this package knows Ray."""
