"""Recipes of the part on image generation."""
