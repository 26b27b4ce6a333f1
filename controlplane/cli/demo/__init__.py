"""`graftwork demo`: the main job of a task, from rows to a bad version that is rolled back."""
