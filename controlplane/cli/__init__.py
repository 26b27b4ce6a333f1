"""`graftwork`: one verb for each thing that a person does."""
