"""GradientMonitor.detect_problems: name the layers whose gradients are ill, and the illness.

A promise asks for one thing and no more, and leaves out what the monitor never finds. So problems are read however they
are written, and an answer is compared with that of the same monitor for another record wherever that says enough.
"""
