"""depth_study: the same training at several depths, with its losses and gradient norms.

One line: `probe` watches how the student trains the networks that it hands out (`training`) and takes the result;
`record` finds the curves in that result and says what they should be; `checks` holds the promises.

The reference repeats every run on the same data, so invented, relabelled or smoothed curves fail. Where the student's
training goes another way than the reference's, its curves are judged against that training: one slip costs one
promise. No claim about what depth does to the loss is checked here: with plain gradient descent a deeper network is
not always the worse one.
"""
