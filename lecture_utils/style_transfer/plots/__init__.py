"""Drawings that one section needs and that teach nothing by their code: one file a section."""
