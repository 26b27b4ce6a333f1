"""Rows and manifests of dataset versions, as every kind of job reads them."""
