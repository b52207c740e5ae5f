"""Image generation: the models of the lecture's first part, one file a method."""
