"""BatchNorm: batch normalisation (Ioffe & Szegedy 2015), training forward, backward, and inference.

An upstream gradient of ones, or a gamma of ones, hides most mistakes of a backward pass: the columns of the true dx
then sum to nothing. So upstream gradients are random, gamma has both signs, beta is not zero, N differs from D, and
the columns' spreads range from 3e-3, where eps matters, to 5, where it does not.
"""
