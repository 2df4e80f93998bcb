"""Tests of the checks: do they catch mistakes, accept right solutions, and name true causes?"""
