"""The HTTP API: routes that call a command or a projection and nothing else."""
