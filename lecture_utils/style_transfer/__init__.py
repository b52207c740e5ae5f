"""Style transfer: the lecture's third part, one file a method."""
