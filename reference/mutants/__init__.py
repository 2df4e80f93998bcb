"""Wrong implementations that nobody wrote: small slips in right solutions, written in several styles.

`operators` has the kinds of slips, `sources` applies them, and `words` says them in the words of the lesson.
"""
