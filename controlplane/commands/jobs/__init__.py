"""The life of a job: requested, claimed under a lease, told, ended."""
