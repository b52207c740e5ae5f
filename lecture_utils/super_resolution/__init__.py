"""Super-resolution: operators, solvers and networks of the lecture's second part."""
