"""Tests of the tests: does every check catch what it should and let pass what it must, and is every named cause true?"""
