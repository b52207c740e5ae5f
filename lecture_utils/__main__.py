"""``python -m lecture_utils``."""

from lecture_utils.cli import main

if __name__ == "__main__":
    main()
