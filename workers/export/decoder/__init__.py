"""Exports of text generation."""
