"""What the lesson says of its experiments is what they print: every number below "Notice" is claimed here, by hand.

The English edition runs once, with the solutions; test_editions.py sees to it that both editions have the same numbers.
"""

import json
import math
import re

import numpy as np
import pytest
from test_editions import numbers

from autograder import layers
from autograder.layers import Linear
from autograder.student.predictions import questions
from reference.gradient_pathology.batch_norm.solution import BatchNorm
from reference.gradient_pathology.clip_gradients.solution import clip_gradients
from source.build import build, editions
from tests.claims import agrees, number_in, run, words_of

GRADIENT, FAIR, EXPLODE, DIVERGE, CLIP = (f"experiment-{i:02}" for i in range(1, 6))
ACTIVATION, DEAD = (f"experiment-{i:02}" for i in (6, 7))
GAIN, UNITS, HIMMELBLAU, LIMIT, GLOBAL = (f"experiment-{i:02}" for i in (8, 9, 10, 11, 12))
WATCH, SLOPE, RATIO, ESCAPE, DEPTH, ADAM = (f"experiment-{i:02}" for i in (13, 14, 15, 16, 17, 18))
CHECK, BN_SLOPE, MODES, PLOT = "experiment-19", "experiment-20", "experiment-21", "depth_study_plot"
HISTOGRAMS, RESIDUAL, RNN, SCALE, NORM = "histograms", "residual", "rnn", "weight-scale", "layer-norm"

CLAIMS = [
    # cell, a quotation with the number in « », and the number from what was printed by p(experiment, words, place)
    ("prose-05", "Xavier, the factor per layer is about «0.23»", lambda p: p(GRADIENT, "Xavier:", -1)),
    ("prose-05", "Over 20 layers this gives about $«10^{-12}»$", lambda p: p(GRADIENT, "Xavier:", 1)),
    ("prose-05", "factor per layer is about «0.008»", lambda p: p(GRADIENT, "sd=0.01:", -1)),
    ("prose-05", "it is about «0.70»", lambda p: p(GRADIENT, "6 × Xavier:", -1)),
    ("prose-07", "the sigmoid loses «0.64» decades", lambda p: p(FAIR, "sigmoid", 2)),
    ("prose-07", "tanh only «0.05»", lambda p: p(FAIR, "tanh  ", 2)),
    ("prose-07", "and ReLU «0.19»", lambda p: p(FAIR, "relu", 2)),
    ("prose-07", "loses «2.13» decades", lambda p: p(FAIR, "sigmoid", 0)),
    (
        "prose-07",
        "more than «13» decades below that with Xavier",
        lambda p: math.floor(decades(p, "sigmoid", 3, "sigmoid", 1)),
    ),
    ("prose-07", "and «18.6» with ReLU", lambda p: decades(p, "relu", 5, "sigmoid", 1)),
    ("prose-07", "He's is «14.4» decades larger with the sigmoid", lambda p: decades(p, "sigmoid", 5, "sigmoid", 1)),
    ("prose-07", "loses «1.7» decades", lambda p: p(FAIR, "relu", 0)),
    ("prose-07", "flat, around $«10^{-14}»$", lambda p: p(FAIR, "tanh, sd=0.01, |dW|: layer", 1)),
    ("prose-09", "about «4»-fold", lambda p: p(EXPLODE, "sd=2", 0)),
    ("prose-09", "some «10» percent below", lambda p: 100 - 100 * p(EXPLODE, "sd=2", 0) / p(EXPLODE, "sd=2", 1)),
    ("prose-09", "some «10» percent below", lambda p: 100 - 100 * p(EXPLODE, "sd=1", 0) / p(EXPLODE, "sd=1", 1)),
    ("prose-09", "some «10» percent below", lambda p: 100 - 100 * p(EXPLODE, "He", 0) / p(EXPLODE, "He", 1)),
    ("prose-10", "from $«10^{12}»$", lambda p: p(DIVERGE, "step 0: loss", 0)),
    ("prose-10", "to $«10^{143}»$", lambda p: p(DIVERGE, "step 1: loss", 0)),
    ("prose-13", "about $«10^{-13}»$", lambda p: p(CLIP, "1. norm before", 1)),
    ("prose-13", "clipping is «1»", lambda p: p(CLIP, "1. norm before", 2)),
    ("prose-13", "only «4» of 12 learned", lambda p: p(CLIP, "2. without clipping:", 3)),
    ("prose-13", "«5» diverged", lambda p: p(CLIP, "2. without clipping:", 1)),
    ("prose-13", "With clipping, all «12» learn", lambda p: p(CLIP, "2. with clipping:", 3)),
    ("prose-15", "is «0.018» for the sigmoid", lambda p: p(ACTIVATION, "Sigmoid", 1)),
    ("prose-15", "and «0.0013» for tanh", lambda p: p(ACTIVATION, "Tanh", 1)),
    ("prose-15", "is «4» times as large", lambda p: p(ACTIVATION, "Tanh", 2) / p(ACTIVATION, "Sigmoid", 2)),
    ("prose-15", "multiplied by «0.01» on", lambda p: p(ACTIVATION, "LeakyReLU", 0)),
    ("prose-17", "exceeds «40%» in layer 19", lambda p: p(DEAD, "relu", -1)),
    (
        "histograms-notice",
        r"deviation is $«1.4 \times 10^{-8}»$",
        lambda p: p(HISTOGRAMS, "tanh    sd=0.01: standard deviation in", 3),
    ),
    ("histograms-notice", "(«0.29» in layer 5)", lambda p: p(HISTOGRAMS, "tanh    Xavier : standard deviation in", 3)),
    ("histograms-notice", "«59%» of the values", lambda p: p(HISTOGRAMS, "tanh    sd=1   : standard deviation in", 5)),
    ("prose-19", "a loss of «1.0» after 200", lambda p: p(GAIN, "gain 2:", 1)),
    ("prose-19", "reduces the slope from «0.64»", lambda p: p(GAIN, "gain 1:", 0)),
    ("prose-19", "decades to «0.22»", lambda p: p(GAIN, "gain 4:", 0)),
    ("prose-19", "falls to «0.2»", lambda p: p(GAIN, "gain 4:", 1)),
    ("prose-19", "layer 1 by about «7» with He", lambda p: p(GAIN, "he", 1) / p(GAIN, "he", 9)),
    ("prose-19", "by more than «1000» with", lambda p: min(1000, p(GAIN, "xavier", 1) / p(GAIN, "xavier", 9))),
    ("prose-19", "another «0.15» decades", lambda p: math.log10(math.sqrt(2))),
    ("prose-19", "a «500»-fold difference", lambda p: p(GAIN, "he", 9) / p(GAIN, "xavier", 9)),
    ("prose-21", r"is $«2.6 \times 10^{-3}»$", lambda p: p(UNITS, "sd=0.01:", 0, line=0)),
    ("prose-21", r"is $«1.3 \times 10^{-11}»$", lambda p: p(UNITS, "sd=0.01:", 1, line=0)),
    (
        "prose-21",
        "differ by «8» decades",
        lambda p: math.log10(p(UNITS, "sd=0.01:", 0, line=0) / p(UNITS, "sd=0.01:", 1, line=0)),
    ),
    ("prose-23", "«4» minima", lambda p: p.lines(HIMMELBLAU, "minimum")),
    ("prose-23", "«4» saddle points", lambda p: p.lines(HIMMELBLAU, "saddle")),
    ("prose-23", "«1» maximum", lambda p: p.lines(HIMMELBLAU, "maximum")),
    ("prose-25", "by «-0.87»: the path", lambda p: p(LIMIT, "learning rate 0.014:", 1)),
    ("prose-25", "$f$ falls to «0»", lambda p: p(LIMIT, "learning rate 0.014:", -1)),
    ("prose-25", "the factor is «-0.34»", lambda p: p(LIMIT, "learning rate 0.010:", 1)),
    ("prose-25", "it is «-1.14»", lambda p: p(LIMIT, "learning rate 0.016:", 1)),
    ("prose-26", r"$f \approx «-78.33»$", lambda p: p(GLOBAL, "Styblinski-Tang (0, 0)", -1)),
    ("prose-26", "stop at $«-50.06»$", lambda p: p(GLOBAL, "Styblinski-Tang (0.3, 0.3)", -1)),
    ("prose-26", "(-4, 4) at $«-64.20»$", lambda p: p(GLOBAL, "Styblinski-Tang (-4, 4)", -1)),
    (
        "prose-26",
        "one in «10,000»",
        lambda p: 1 / p(GLOBAL, "random symmetric matrices, dimension 5: all positive", 0),
    ),
    ("prose-29", r"it is $«2 \times 10^{-4}»$", lambda p: p(WATCH, "|dW| of the first layer / of the last:", 0)),
    ("prose-29", "it is «1.5»", lambda p: p(WATCH, "|dW| of the first layer / of the last:", 2)),
    ("prose-29", "hardly moves from «1.0»", lambda p: p(WATCH, "A: loss", 1)),
    ("prose-32", "is «0.64» before", lambda p: p.column(SLOPE, "sigmoid Xavier (untrained)", 2)),
    ("prose-32", "still «0.63» after", lambda p: p.column(SLOPE, "sigmoid Xavier (100 steps)", 2)),
    ("prose-34", "order of $«10^{-2}»$", lambda p: p(RATIO, "tanh xavier", 1)),
    ("prose-34", "from «0.14» in", lambda p: p(RATIO, "sigmoid xavier", 3)),
    ("prose-34", r"to $«1.6 \times 10^{-7}»$", lambda p: p(RATIO, "sigmoid xavier", 1)),
    ("prose-34", "some «6,000,000» steps", lambda p: 1 / p(RATIO, "sigmoid xavier", 1)),
    ("prose-34", "output layer is «1.5»", lambda p: p(RATIO, "relu he, inputs × 5", 2)),
    ("prose-34", "Of the «40» ReLU networks", lambda p: p.total(RATIO, "largest ratio at most 1", 1, 4)),
    ("prose-34", "(«20» with each", lambda p: sum(p(RATIO, "largest ratio at most 1", i, line=0) for i in (1, 4))),
    ("prose-34", "«14» had a largest", lambda p: p.total(RATIO, "largest ratio at most 1", 4)),
    ("prose-34", "only «2» of these learned", lambda p: p.total(RATIO, "largest ratio at most 1", 3)),
    ("prose-34", "of the other «26», 23", lambda p: p.total(RATIO, "largest ratio at most 1", 1)),
    ("prose-34", "«23» learned", lambda p: p.total(RATIO, "largest ratio at most 1", 0)),
    ("prose-36", "only about «97» steps", lambda p: p(ESCAPE, "SGD", 9) - p(ESCAPE, "SGD", 5)),
    ("prose-36", "about «34» steps", lambda p: p(ESCAPE, "Momentum", 9) - p(ESCAPE, "Momentum", 5)),
    ("prose-36", "Adam takes «5» to", lambda p: p(ESCAPE, "Adam", 1)),
    ("prose-36", "to «8» steps", lambda p: p(ESCAPE, "Adam", 13)),
    ("prose-38", "takes «33» steps", lambda p: p(DEPTH, "start 0.1 ", 3)),
    ("prose-38", "takes «3341», about", lambda p: p(DEPTH, "start 0.1 ", 9)),
    ("prose-38", "about «100» times", lambda p: p(DEPTH, "start 0.1 ", 9) / p(DEPTH, "start 0.1 ", 3)),
    ("prose-38", "takes «50,009» steps", lambda p: p(DEPTH, "start 0.01", 7)),
    ("prose-38", "estimates, «3333» and", lambda p: p(DEPTH, "estimate 0.1 ", 5)),
    ("prose-38", "and «50,000».", lambda p: p(DEPTH, "estimate 0.01", 3)),
    ("prose-39", "is about $«10^{-12}»$", lambda p: p(ADAM, "|dW| before training: layer 1", 0)),
    ("prose-39", r"about $«2 \times 10^{-13}»$", lambda p: p(ADAM, "|dW| before training: layer 1", 0) / math.sqrt(20)),
    ("prose-39", r"about $«1.5 \times 10^{-5}»$ times", lambda p: p(ADAM, "eps = 1e-08:", 0)),
    ("prose-39", "All «4» networks", lambda p: p(ADAM, "eps = 1e-08:", 4) - p(ADAM, "eps = 1e-08:", 3)),
    ("prose-39", "a loss of «1.0»", lambda p: p(ADAM, "eps = 1e-08:", -1)),
    ("prose-39", "«2» of the 4 begin", lambda p: p(ADAM, "eps = 1e-30:", 3)),
    ("prose-43", "`dx` is «3.8»", lambda p: p(CHECK, "random dout:", 0)),
    ("prose-45", "«0.64» decades", lambda p: p(BN_SLOPE, "sigmoid xavier without BatchNorm", 3)),
    ("prose-45", "becomes «-0.08»", lambda p: p(BN_SLOPE, "sigmoid xavier with BatchNorm", 3)),
    ("prose-45", "(«0.20» on average)", lambda p: p(BN_SLOPE, "sigmoid, 20 layers, with BatchNorm:", 0)),
    ("prose-45", "the factor, about «5», makes", lambda p: p(BN_SLOPE, "sigmoid, 20 layers, with BatchNorm:", 1)),
    ("prose-45", "about «-0.11» decades", lambda p: p(BN_SLOPE, "relu    he     with BatchNorm", 3)),
    ("prose-45", "about «1.3» per layer", lambda p: 10 ** -p(BN_SLOPE, "relu    he     with BatchNorm", 3)),
    ("prose-45", "that comes to «1.5» decades", lambda p: -p(BN_SLOPE, "sigmoid xavier with BatchNorm", 5)),
    ("prose-45", "and «2.1» for ReLU", lambda p: -p(BN_SLOPE, "relu    he     with BatchNorm", 5)),
    ("prose-47", "«1.07» in training", lambda p: p(MODES, "step   0:", 0)),
    ("prose-47", "and «1.53» in", lambda p: p(MODES, "step   0:", 1)),
    ("prose-47", "10 steps, «0.22»", lambda p: p(MODES, "step  10:", 0)),
    ("prose-47", "0.22 and «0.46»", lambda p: p(MODES, "step  10:", 1)),
    ("prose-47", "both are «0.03»", lambda p: p(MODES, "step 100:", 0)),
    ("prose-47", "both are «0.03»", lambda p: p(MODES, "step 100:", 1)),
    ("prose-47", "«-0.13» whatever", lambda p: p(MODES, "one by one, training mode:", 2)),
    ("residual-notice", "from «0.61» decades", lambda p: p(RESIDUAL, "sigmoid, without residual", 0)),
    ("residual-notice", "to «-0.01», practically zero", lambda p: p(RESIDUAL, "sigmoid, with residual", 0)),
    ("residual-notice", "«3» of 5 networks learn", lambda p: p(RESIDUAL, "sigmoid, with residual", 3)),
    ("residual-notice", "connections «3» of 5", lambda p: p(RESIDUAL, "relu, without residual", 3)),
    ("residual-notice", "all «5» diverge", lambda p: p(RESIDUAL, "relu, with residual", 5)),
    ("residual-notice", r"already $«4 \times 10^7»$", lambda p: p(RESIDUAL, "relu, with residual", 1)),
    ("residual-notice", "slope of «-0.18» decades", lambda p: p(RESIDUAL, "relu, with residual", 0)),
    ("rnn-notice", "by «0.44» with weights", lambda p: p(RNN, "weights × 0.5:", -1)),
    ("rnn-notice", "by «0.80» with 1", lambda p: p(RNN, "weights × 1:", -1)),
    ("rnn-notice", "by «1.15» with 2", lambda p: p(RNN, "weights × 2:", -1)),
    ("rnn-notice", "clipping, «6» of 6 diverge", lambda p: p(RNN, "without clipping:", 1)),
    ("rnn-notice", "with it, «6» of 6 learn", lambda p: p(RNN, "with clipping:", 2)),
    ("rnn-notice", r"is $«6 \times 10^{-8}»$", lambda p: p(RNN, "weights × 0.5:", 1)),
    ("slider-notice", "by almost exactly «one» decade", lambda p: 2 * (p(SCALE, "relu", 1) - p(SCALE, "relu", 3))),
    ("slider-notice", "explosion of «-0.82» decades", lambda p: p(SCALE, "relu", -1)),
    ("slider-notice", "stops at «-0.27»", lambda p: p(SCALE, "tanh ", -1)),
    ("slider-notice", "slope is «0.64» decades", lambda p: p(SCALE, "sigmoid  ", 5)),
    ("slider-notice", "and «0.02» at scale", lambda p: p(SCALE, "sigmoid  ", -1)),
    ("slider-notice", "only «3» of 5", lambda p: p(SCALE, "sigmoid × 10.00", 0)),
    ("slider-notice", "at 5.62 all «5» did", lambda p: p(SCALE, "sigmoid × 5.62", 0)),
    ("layer-norm-notice", "LayerNorm is «0.44» decades", lambda p: p(NORM, "sigmoid LayerNorm", 0)),
    ("layer-norm-notice", "than the «0.64» without", lambda p: p(NORM, "sigmoid no norm", 0)),
    ("layer-norm-notice", "it is «-0.08»", lambda p: p(NORM, "sigmoid BatchNorm", 0)),
    ("layer-norm-notice", "still «1.00» with", lambda p: p(NORM, "standard deviation per unit", 2, line=2)),
    ("layer-norm-notice", "still «1.00» with", lambda p: p(NORM, "standard deviation per unit", 3, line=2)),
    ("layer-norm-notice", "still «1.00» with", lambda p: p(NORM, "standard deviation per unit", 4, line=2)),
    ("layer-norm-notice", "still «0.22» at", lambda p: p(NORM, "standard deviation per unit", 0, line=1)),
    (
        "layer-norm-notice",
        r"to $«1.3 \times 10^{-9}»$",
        lambda p: p(NORM, "standard deviation per unit", 0, line=2),
    ),
    ("layer-norm-notice", "ReLU is «0.03» decades", lambda p: p(NORM, "relu    LayerNorm", 0)),
    ("layer-norm-notice", "as the «0.04» without", lambda p: p(NORM, "relu    no norm", 0)),
    ("layer-norm-notice", "with BatchNorm («-0.11»)", lambda p: p(NORM, "relu    BatchNorm", 0)),
    ("depth_study_findings", "is «3.4e-3» with", lambda p: p(PLOT, "without BatchNorm,  5 layers:", 3)),
    ("depth_study_findings", "«3.5e-6» with", lambda p: p(PLOT, "without BatchNorm, 10 layers:", 3)),
    ("depth_study_findings", "«9.2e-13» with", lambda p: p(PLOT, "without BatchNorm, 20 layers:", 3)),
    ("depth_study_findings", "are «0.999», 1.000", lambda p: p(PLOT, "without BatchNorm,  5 layers:", 1)),
    ("depth_study_findings", "«1.000» and", lambda p: p(PLOT, "without BatchNorm, 10 layers:", 1)),
    ("depth_study_findings", "output layer is «0.5» to", lambda p: p(PLOT, "without BatchNorm,  5 layers:", 4)),
    ("depth_study_findings", "to «2.6», so", lambda p: p(PLOT, "without BatchNorm, 20 layers:", 4)),
    ("depth_study_findings", "is «1.4» to", lambda p: p(PLOT, "with BatchNorm, 10 layers:", 3)),
    ("depth_study_findings", "to «3.7» as", lambda p: p(PLOT, "with BatchNorm, 20 layers:", 3)),
    ("depth_study_findings", "fell to «0.1», 0.03", lambda p: p(PLOT, "with BatchNorm,  5 layers:", 1)),
    ("depth_study_findings", "0.1, «0.03» and", lambda p: p(PLOT, "with BatchNorm, 10 layers:", 1)),
    ("depth_study_findings", "and «0.07». 20", lambda p: p(PLOT, "with BatchNorm, 20 layers:", 1)),
    ("depth_study_findings", "«0.64» decades", lambda p: p(FAIR, "sigmoid", 2)),
    ("depth_study_findings", "about «0.23» per layer", lambda p: p(GRADIENT, "Xavier:", -1)),
]

CLAIMS += [
    ("answer 1.1", "about «0.008»", lambda p: p(GRADIENT, "sd=0.01:", -1)),
    ("answer 1.1", "Xavier «0.23»", lambda p: p(GRADIENT, "Xavier:", -1)),
    ("answer 1.1", "Xavier «0.70»", lambda p: p(GRADIENT, "6 × Xavier:", -1)),
    ("answer 1.2", "loses «1.5» decades", lambda p: p(FAIR, "tanh, sd=0.01, |δ| : layer", -1)),
    ("answer 2.1", "about «4», a", lambda p: p(EXPLODE, "sd=2", 0)),
    ("answer 2.1", "formula's «4.47»", lambda p: p(EXPLODE, "sd=2", 1)),
    ("answer 2.1.2", "order of «1e12» at", lambda p: magnitude(p(DIVERGE, "step 0: loss", 0))),
    ("answer 2.1.2", "and «1e143» at", lambda p: magnitude(p(DIVERGE, "step 1: loss", 0))),
    ("answer 2.3", "«4» of 12 without", lambda p: p(CLIP, "2. without clipping:", 3)),
    ("answer 2.3", "all «12» with", lambda p: p(CLIP, "2. with clipping:", 3)),
    ("answer 2.4", "«6» of 6 diverge", lambda p: p(RNN, "without clipping:", 1)),
    ("answer 2.4", "«6» of 6 learn", lambda p: p(RNN, "with clipping:", 2)),
    ("answer 3.1", "is «0.018»", lambda p: p(ACTIVATION, "Sigmoid", 1)),
    ("answer 3.1", "tanh's «0.0013»", lambda p: p(ACTIVATION, "Tanh", 1)),
    ("answer 3.2", "More than «40%»", lambda p: min(40, p(DEAD, "relu", -1))),
    ("answer 4.1", "is «1.4e-8»", lambda p: p(HISTOGRAMS, "tanh    sd=0.01: standard deviation in", 3)),
    ("answer 4.1", "«59%» of", lambda p: p(HISTOGRAMS, "tanh    sd=1   : standard deviation in", 5)),
    ("answer 4.1.2", "from «0.64» decades", lambda p: p(GAIN, "gain 1:", 0)),
    ("answer 4.1.2", "to «0.22»", lambda p: p(GAIN, "gain 4:", 0)),
    ("answer 4.2", "it is «2.6e-3»", lambda p: p(UNITS, "sd=0.01:", 0, line=0)),
    ("answer 4.2", "unit «1.3e-11»", lambda p: p(UNITS, "sd=0.01:", 1, line=0)),
    ("answer 4.3", "is «0.02»", lambda p: p(SCALE, "sigmoid  ", -1)),
    ("answer 5.1", "«4» saddle points", lambda p: p.lines(HIMMELBLAU, "saddle")),
    ("answer 5.1", "«1» maximum", lambda p: p.lines(HIMMELBLAU, "maximum")),
    ("answer 5.2", "by «-0.34» at 0.010", lambda p: p(LIMIT, "learning rate 0.010:", 1)),
    ("answer 5.2", "by «-0.87» at 0.014", lambda p: p(LIMIT, "learning rate 0.014:", 1)),
    ("answer 5.2", "by «-1.14» at 0.016", lambda p: p(LIMIT, "learning rate 0.016:", 1)),
    (
        "answer 5.3",
        "1 in «10,000»",
        lambda p: 1 / p(GLOBAL, "random symmetric matrices, dimension 5: all positive", 0),
    ),
    ("answer 6.2", "stays at «1.0»", lambda p: p(WATCH, "A: loss", 1)),
    ("answer 6.3", "is «0.64» before", lambda p: p.column(SLOPE, "sigmoid Xavier (untrained)", 2)),
    ("answer 6.3", "and «0.63» after", lambda p: p.column(SLOPE, "sigmoid Xavier (100 steps)", 2)),
    ("answer 6.4", "«2» of 14", lambda p: p.total(RATIO, "largest ratio at most 1", 3)),
    ("answer 6.4", "2 of «14»", lambda p: p.total(RATIO, "largest ratio at most 1", 4)),
    ("answer 6.4", "«26» others", lambda p: p.total(RATIO, "largest ratio at most 1", 1)),
    ("answer 6.4", "«23» learn", lambda p: p.total(RATIO, "largest ratio at most 1", 0)),
    ("answer 7.1", "needs «188» steps", lambda p: p(ESCAPE, "SGD", 9)),
    ("answer 7.1", "not «91»:", lambda p: p(ESCAPE, "SGD", 5)),
    ("answer 7.1", "adds «97»", lambda p: p(ESCAPE, "SGD", 9) - p(ESCAPE, "SGD", 5)),
    ("answer 7.2", "«33» steps", lambda p: p(DEPTH, "start 0.1 ", 3)),
    ("answer 7.2", "become «3341»", lambda p: p(DEPTH, "start 0.1 ", 9)),
    ("answer 7.2", "about «100» times", lambda p: p(DEPTH, "start 0.1 ", 9) / p(DEPTH, "start 0.1 ", 3)),
    ("answer 7.3", "order of «1e-12»", lambda p: magnitude(p(ADAM, "|dW| before training: layer 1", 0))),
    ("answer 7.3", "about 1/«100,000»", lambda p: 1 / p(ADAM, "eps = 1e-08:", 0)),
    ("answer 8.1", "dx is «3.8»", lambda p: p(CHECK, "random dout:", 0)),
    ("answer 8.1.2", "becomes «-0.11» decades", lambda p: p(BN_SLOPE, "relu    he     with BatchNorm", 3)),
    ("answer 8.1.2", "layer, «2.1» decades", lambda p: -p(BN_SLOPE, "relu    he     with BatchNorm", 5)),
    ("answer 8.1.3", "it is «0.46» against", lambda p: p(MODES, "step  10:", 1)),
    ("answer 8.1.3", "against «0.22»", lambda p: p(MODES, "step  10:", 0)),
    ("answer 8.3", "«3» of 5 sigmoid", lambda p: p(RESIDUAL, "sigmoid, with residual", 3)),
    ("answer 8.3", "instead of «0»", lambda p: p(RESIDUAL, "sigmoid, without residual", 3)),
    ("answer 8.3", "networks, «3» of 5", lambda p: p(RESIDUAL, "relu, without residual", 3)),
    ("answer 8.3", "them, «5» of 5", lambda p: p(RESIDUAL, "relu, with residual", 5)),
    ("answer 8.4", "is «0.44» decades", lambda p: p(NORM, "sigmoid LayerNorm", 0)),
    ("answer 8.4", "against «0.64» without", lambda p: p(NORM, "sigmoid no norm", 0)),
    ("answer 8.4", "and «-0.08» with", lambda p: p(NORM, "sigmoid BatchNorm", 0)),
    ("answer 8.4", "at «1.00».", lambda p: p(NORM, "standard deviation per unit", 3, line=2)),
]

SHOWN = {
    # question -> which of its choices the printed numbers show
    "1.1": lambda p: "abcd"[sum(p(GRADIENT, f"{w}:", -1) > 0.25 for w in ("6 × Xavier", "Xavier", "sd=0.01"))],
    "1.2": lambda p: sloping(-p(FAIR, "tanh, sd=0.01, |dW|: layer", -1), "cba"),
    "2.1": lambda p: nearest(p(EXPLODE, "sd=2", 0), {2: "a", 4: "b", 10: "c"}),
    "2.1.2": lambda p: {2: "a", 5: "b"}.get(p.first(DIVERGE, "loss nan"), "c"),
    "2.3": lambda p: {(True, True): "a", (False, True): "b"}[
        p(CLIP, "2. without clipping:", 3) == 0, p(CLIP, "2. with clipping:", 3) == 12
    ],
    "2.4": lambda p: {(6, 6): "c", (0, 6): "a", (6, 0): "b"}[
        p(RNN, "without clipping:", 1), p(RNN, "with clipping:", 2)
    ],
    "3.1": lambda p: "ab"[p(ACTIVATION, "Tanh", 1) > p(ACTIVATION, "Sigmoid", 1)],
    "3.2": lambda p: nearest(p(DEAD, "relu", -1), {0: "a", 10: "b", 42: "c"}),
    "4.1": lambda p: "ab"[p(HISTOGRAMS, "tanh    sd=1   : standard deviation in", 5) > 50],
    "4.1.2": lambda p: nearest(p(GAIN, "gain 4:", 0) / p(GAIN, "gain 1:", 0), {1: "a", 1 / 3: "b", 0: "c"}),
    "4.2": lambda p: nearest(
        math.log10(p(UNITS, "sd=0.01:", 0, line=0) / p(UNITS, "sd=0.01:", 1, line=0)), {0: "a", 2: "b", 8: "c"}
    ),
    "4.3": lambda p: nearest(p(SCALE, "sigmoid  ", -1), {0.3: "a", 0: "b", -0.5: "c"}),
    "5.1": lambda p: {(4, 1): "a", (1, 4): "b", (4, 4): "c"}[
        p.lines(HIMMELBLAU, "saddle"), p.lines(HIMMELBLAU, "maximum")
    ],
    "5.2": lambda p: min("abc", key=lambda one: abs(p(LIMIT, f"learning rate 0.01{'046'['abc'.index(one)]}:", 1))),
    "5.3": lambda p: nearest(
        -math.log10(p(GLOBAL, "random symmetric matrices, dimension 5: all positive", 0)), {1.5: "a", 3: "b", 4: "c"}
    ),
    "6.2": lambda p: {(1, 0): "b"}[p.lines(WATCH, "problems found: none"), p.lines(WATCH, "problems found: 0")],
    "6.3": lambda p: "a" if all(p.lines(SLOPE, verdict, name) == 1 for name, verdict in DIAGNOSED.items()) else "bc",
    "6.4": lambda p: sharing(
        p.total(RATIO, "largest ratio at most 1", 3), p.total(RATIO, "largest ratio at most 1", 4)
    ),
    "7.1": lambda p: nearest(p(ESCAPE, "SGD", 9) / p(ESCAPE, "SGD", 5), {10_000: "a", 2: "b", 1: "c"}),
    "7.2": lambda p: nearest(p(DEPTH, "start 0.1 ", 9) / p(DEPTH, "start 0.1 ", 3), {2.5: "a", 10: "b", 100: "c"}),
    "7.3": lambda p: nearest(-math.log10(p(ADAM, "eps = 1e-08:", 0)), {0: "a", 1: "b", 5: "c"}),
    "8.1": lambda p: "cba"[sum(p(CHECK, f"{dout}:", 2) > 0.01 for dout in ("dout = 1   ", "random dout"))],
    "8.1.2": lambda p: sloping(p(BN_SLOPE, "relu    he     with BatchNorm", 3), "abc"),
    "8.1.3": lambda p: "ba"[p(MODES, "step  10:", 1) > p(MODES, "step  10:", 0)],
    "8.3": lambda p: {(True, True): "b"}[
        p(RESIDUAL, "sigmoid, with residual", 3) > p(RESIDUAL, "sigmoid, without residual", 3),
        p(RESIDUAL, "relu, with residual", 5) == 5,
    ],
    "8.4": lambda p: nearest(p(NORM, "sigmoid LayerNorm", 0), {-0.08: "a", 0.5: "b", -0.5: "c"}),
}

DIAGNOSED = {
    "sigmoid Xavier (untrained)": "vanishing",
    "sigmoid Xavier (100 steps)": "vanishing",
    "tanh Xavier": "healthy",
    "relu He": "healthy",
}


def magnitude(value):
    return 10.0 ** round(math.log10(value))


def nearest(value, letters):
    return letters[min(letters, key=lambda one: abs(one - value))]


def sloping(slope, letters):
    """The letter for a positive slope, one near 0, a negative one."""
    return letters[0] if slope > 0.05 else letters[2] if slope < -0.05 else letters[1]


def sharing(some, of):
    """None, a few, most."""
    return "a" if not some else "b" if some < of / 2 else "c"


SETTINGS = {
    "answer 1.1": {"0.01"},
    "answer 4.1": {"0.01", "0.9"},
    "answer 5.2": {"0.010", "0.014", "0.016"},
    "answer 6.3": {"100"},
    "answer 7.1": {"10000"},
    "answer 8.1.2": {"20"},
    "answer 8.1.3": {"10"},
    "answer 7.3": {"1e-8"},
    "prose-05": {"20", "0.25", "0.01"},
    "prose-07": {"0.01"},
    "prose-09": {"0.01"},
    "prose-13": {"0.0000", "1.0", "3.2"},
    "prose-15": {"0.25"},
    "prose-17": {"19", "0.01", "2020"},
    "histograms-notice": {"0.01", "0.5", "4.2", "0.9", "0.19"},
    "rnn-notice": {"0.5", "2.3", "8.3"},
    "slider-notice": {"10", "5.62"},
    "layer-norm-notice": {"60", "4.2", "0.3"},
    "prose-19": {"10", "20", "8.1", "8.3"},
    "prose-21": {"0.01", "4.1"},
    "prose-23": {"5.3"},
    "prose-25": {"0.010", "0.014", "0.016", "5.3", "10", "12", "16", "1990"},
    "prose-26": {"0.3", "20000", "2014"},
    "prose-29": {"99", "10", "6.3"},
    "prose-32": {"100", "6.1", "0.01", "2.3", "10"},
    "prose-36": {"10000", "10", "1.1"},
    "prose-38": {"0.1", "0.01", "2014", "2015", "7.3", "20", "10"},
    "prose-39": {"16", "10"},
    "prose-45": {"2019", "2018", "20", "0.25"},
    "prose-47": {"10", "100", "0.1", "0.01", "5.2"},
    "depth_study_findings": {"100", "200", "10", "20", "50", "1.0", "0.25"},
}
"""What is no result: settings of the experiments, numbers of sections and years."""

ENGLISH = editions()["gradient-pathology-en"]
QUESTIONS = questions("gradient-pathology")
CELLS = {cell.id: cell.source for cell in build(ENGLISH).cells}
CELLS |= {f"answer {name}": question.answer["en"] for name, question in QUESTIONS.items()}
NOTICED = [id for id, source in CELLS.items() if "<b>Notice</b>" in source or id.startswith("answer")]
NOTICED += ["depth_study_findings"]


def decades(p, line, place, other_line, other_place):
    return math.log10(p(FAIR, line, place) / p(FAIR, other_line, other_place))


@pytest.fixture(scope="module")
def printed():
    return run(ENGLISH)


@pytest.mark.parametrize("name", QUESTIONS)
def test_the_right_choice_is_what_the_experiment_shows(name, printed):
    assert SHOWN[name](printed) == QUESTIONS[name].right


@pytest.mark.parametrize(("cell", "quotation", "measured"), CLAIMS)
def test_a_claim_is_what_the_experiment_shows(cell, quotation, measured, printed):
    assert words_of(quotation) in CELLS[cell]
    claimed = number_in(quotation)
    assert agrees(measured(printed), claimed), (measured(printed), claimed)


def test_what_the_lesson_says_without_a_number_is_so(printed):
    assert "In layer 1 no units are dead" in CELLS["prose-17"] and printed(DEAD, "relu", 5) == 0
    assert "learn, where none did before" in CELLS["residual-notice"]
    assert printed(RESIDUAL, "sigmoid, without residual", 3) == 0
    ends = [printed(RESIDUAL, f"{name}, with residual", 5) for name in ("sigmoid", "relu")]
    normed = [printed(NORM, "standard deviation per unit", place, line=1) for place in (2, 3, 4)]
    assert "below 0.3 with BatchNorm" in CELLS["layer-norm-notice"] and max(normed) < 0.3
    assert "gets worse" in CELLS["residual-notice"] and ends == [0, 5]


def test_five_layers_hardly_move_in_200_steps_and_learn_later():
    """What the text on the plot says of the network with 5 layers and without BatchNorm."""
    (source,) = [text for text in CELLS.values() if "def sine_task(" in text]
    names = {name: getattr(layers, name) for name in layers.__all__} | {"np": np}
    exec(source, names)
    network = layers.build_deep_network(5, "sigmoid", "xavier", rng=np.random.default_rng(0))
    hidden = [layer.params for layer in network if isinstance(layer, Linear)][:-1]
    start, losses = [params["W"].copy() for params in hidden], []
    for step in range(1500):
        losses.append(layers.forward_backward(network, names["X"], names["t"])[0])
        names["sgd_update"](network, 0.1)
        if step + 1 == 200:
            moved = [np.linalg.norm(p["W"] - w) / np.linalg.norm(w) for p, w in zip(hidden, start, strict=True)]
    assert min(moved) > 0.01 and max(moved) < 0.06
    assert min(losses[:500]) > 0.9 and losses[1000] < 0.9 and losses[-1] < 0.5


def test_pytorch_gives_what_the_lesson_quotes():
    """The quoted values were printed by PyTorch 2.2.2; here they are compared with the reference solutions."""
    quoted = [json.loads(text) for text in re.findall(r"#\s+(\[.*\]|[\d.]+)$", CELLS["pytorch"], re.MULTILINE)]
    output, mean, variance, norm, bias = map(np.array, quoted)
    x = np.array(json.loads(re.search(r"x = torch.tensor\((\[.*?\]), dtype", CELLS["pytorch"])[1]))
    layer = BatchNorm(2)
    assert layer.forward(x) == pytest.approx(output, abs=1e-6)
    assert layer.running_mean == pytest.approx(mean)
    assert layer.running_var == pytest.approx(json.loads(re.search(r"is (\[.*?\])\.$", CELLS["pytorch"], re.M)[1]))
    assert 0.9 + 0.1 * x.var(axis=0, ddof=1) == pytest.approx(variance) != layer.running_var
    layer = Linear(2, 2)
    layer.grads = {"W": np.array([[1.0, 2.0], [2.0, 4.0]]), "b": np.array([12.0])}
    assert clip_gradients([layer])[0] == norm and layer.grads["b"] == pytest.approx(bias, abs=1e-6)


def test_no_number_goes_without_a_claim():
    for cell in NOTICED:
        quoted = " ".join(words_of(quotation) for id, quotation, _ in CLAIMS if id == cell)
        unclaimed = numbers(CELLS[cell]) - numbers(quoted) - SETTINGS.get(cell, set())
        assert not unclaimed, cell


@pytest.mark.parametrize(
    ("value", "claimed", "right"),
    [(0.2349, "0.23", True), (0.236, "0.23", False), (6.3e-13, "10^{-12}", True), (3e-14, "10^{-12}", False)]
    + [(2.64e-3, r"2.6 \times 10^{-3}", True), (2.7e-3, r"2.6 \times 10^{-3}", False), (498, "500", True)]
    + [(97, "97", True), (98, "97", False), (0.0, "0%", True)],
)
def test_rounding_decides_whether_a_number_agrees(value, claimed, right):
    assert agrees(value, claimed) is right
