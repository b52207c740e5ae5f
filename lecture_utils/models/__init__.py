"""The networks of the lecture, one file a paper."""
