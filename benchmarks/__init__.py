"""Speed measurements: what is timed, how, and the bare loops that it is compared with."""
