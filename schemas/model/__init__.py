"""What a model version is: its identity, and the unions that an identity is made of."""
