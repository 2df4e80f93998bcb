"""Tests of the tests: does a check catch what it should and let pass what it must, and is a named cause true?"""
