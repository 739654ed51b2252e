"""Tests of what is told of a run afterwards."""
