"""What events start: triggers and runs of pipelines."""
