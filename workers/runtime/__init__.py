"""What every worker does around its job: claims, heartbeats, files, processes."""
