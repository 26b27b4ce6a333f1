"""What a model is asked to do: a package a task, with its learner, its reference and its answers."""
