"""Recipes of the part on super-resolution."""
