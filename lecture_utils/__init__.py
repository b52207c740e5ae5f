"""The package behind the course book: the lecture's methods, written to be read.

Heavy libraries are imported where they are used, so that ``import lecture_utils`` costs little more
than ``import torch``. Sub-modules are imported by name (``from lecture_utils import show``).
"""

from lecture_utils.runtime import Run, start

__all__ = ["Run", "__version__", "start"]
__version__ = "0.1.0"
