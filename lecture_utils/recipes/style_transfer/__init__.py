"""Recipes of the part on style transfer."""
