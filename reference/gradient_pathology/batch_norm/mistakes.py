"""Known mistakes in BatchNorm's forward, backward and inference, each one step of `Staged` done wrong."""

from __future__ import annotations

import numpy as np

from autograder.layers import Layer
from reference.bank import Bank

bank = Bank(__file__, "BatchNorm")


class Staged(Layer):
    """The reference with one method for each step, so that a mistake is the step it is made in.

    A forward leaves what backward needs in attributes; `trained` is the mode it ran in.
    """

    def __init__(self, n_features, eps=1e-5, momentum=0.9):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.params.update(gamma=np.ones(n_features), beta=np.zeros(n_features))
        self.grads.update(gamma=None, beta=None)
        self.running_mean = np.zeros(n_features)
        self.running_var = np.ones(n_features)

    def forward(self, x):
        self.x, self.trained = x, self.is_training()
        self.gamma, self.beta = self.params["gamma"], self.params["beta"]
        if self.trained:
            self.mean = self.mean_of(x)
            self.var = self.var_of(x)
            self.std = self.std_of(self.var)
            self.update_running()
        else:
            self.mean, self.var = self.running_statistics()
            self.std = self.running_std()
        self.x_hat = self.normalise(x)
        return self.affine() if self.trained else self.predict()

    def is_training(self):
        return self.training

    def mean_of(self, x):
        return x.mean(axis=0)

    def var_of(self, x):
        return x.var(axis=0)

    def std_of(self, var):
        return np.sqrt(var + self.eps)

    def normalise(self, x):
        return (x - self.mean) / self.std

    def affine(self):
        return self.gamma * self.x_hat + self.beta

    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.var)

    def blend(self, running, batch):
        return self.momentum * running + (1 - self.momentum) * batch

    def running_statistics(self):
        return self.running_mean, self.running_var

    def running_std(self):
        return self.std_of(self.var)

    def predict(self):
        return self.affine()

    def backward(self, dout):
        self.grads["gamma"], self.grads["beta"] = self.dgamma(dout), self.dbeta(dout)
        return self.dx(dout) if self.trained else self.dx_of_prediction(dout)

    def dgamma(self, dout):
        return (dout * self.x_hat).sum(axis=0)

    def dbeta(self, dout):
        return dout.sum(axis=0)

    def dx(self, dout):
        dx_hat = self.dx_hat(dout)
        return (dx_hat - self.mean_path(dx_hat) - self.variance_path(dx_hat)) / self.backward_std()

    def dx_hat(self, dout):
        return dout * self.gamma

    def mean_path(self, dx_hat):
        return dx_hat.mean(axis=0)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).mean(axis=0)

    def backward_std(self):
        return self.std

    def dx_of_prediction(self, dout):
        return dout * self.gamma / self.std


# --- forward: statistics ----------------------------------------------------------------------------------------------


@bank.add("variance-divided-by-n-minus-1")
class UnbiasedVariance(Staged):
    def var_of(self, x):
        return x.var(axis=0, ddof=1)


@bank.add("variance-divided-by-n-minus-1-throughout")
class UnbiasedThroughout(UnbiasedVariance):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * len(dx_hat) / (len(dx_hat) - 1)


@bank.add("variance-not-divided")
class SummedVariance(Staged):
    def var_of(self, x):
        return np.square(x - self.mean_of(x)).sum(axis=0)


@bank.add("mean-divided-by-d")
class MeanOverD(Staged):
    def mean_of(self, x):
        return x.sum(axis=0) / x.shape[1]


@bank.add("batch-size-of-first-forward")
class FirstBatchSize(Staged):
    def mean_of(self, x):
        self.n = getattr(self, "n", len(x))
        return x.sum(axis=0) / self.n

    def var_of(self, x):
        return np.square(x - self.mean).sum(axis=0) / self.n


@bank.add("statistics-per-example")
class PerExample(Staged):
    def mean_of(self, x):
        return x.mean(axis=1, keepdims=True)

    def var_of(self, x):
        return x.var(axis=1, keepdims=True)


@bank.add("one-mean-for-all-columns")
class OneMean(Staged):
    def mean_of(self, x):
        return x.mean()


@bank.add("one-variance-for-all-columns")
class OneVariance(Staged):
    def var_of(self, x):
        return x.var()


@bank.add("one-mean-and-variance-for-all-columns")
class OneOfEach(OneMean, OneVariance):
    pass


@bank.add("mean-square-for-variance")
class MeanSquare(Staged):
    def var_of(self, x):
        return np.square(x).mean(axis=0)


@bank.add("last-row-left-out")
class LastRowLeftOut(Staged):
    def mean_of(self, x):
        return x[:-1].mean(axis=0)

    def var_of(self, x):
        return x[:-1].var(axis=0)


@bank.add("running-statistics-in-training")
class RunningInTraining(Staged):
    def update_running(self):
        super().update_running()
        self.mean, self.var = self.running_statistics()
        self.std = self.running_std()


@bank.add("variance-around-running-mean")
class VarianceAroundRunningMean(Staged):
    def var_of(self, x):
        return np.square(x - self.running_mean).mean(axis=0)


@bank.add("training-flag-inverted")
class InvertedFlag(Staged):
    def is_training(self):
        return not self.training


# --- forward: eps -----------------------------------------------------------------------------------------------------


@bank.add("eps-forgotten")
class NoEps(Staged):
    def std_of(self, var):
        return np.sqrt(var)


@bank.add("eps-outside-root")
class EpsOutside(Staged):
    def std_of(self, var):
        return np.sqrt(var) + self.eps


@bank.add("root-of-eps-added")
class RootOfEps(Staged):
    def std_of(self, var):
        return np.sqrt(var) + np.sqrt(self.eps)


@bank.add("eps-squared")
class EpsSquared(Staged):
    def std_of(self, var):
        return np.sqrt(var + self.eps**2)


@bank.add("eps-as-lower-bound")
class EpsAsBound(Staged):
    def std_of(self, var):
        return np.sqrt(np.maximum(var, self.eps))


@bank.add("eps-only-for-zero-variance")
class EpsOnlyForZero(Staged):
    def std_of(self, var):
        return np.sqrt(np.where(var == 0, self.eps, var))


@bank.add("eps-fixed-1e-8")
class Eps1e8(Staged):
    def std_of(self, var):
        return np.sqrt(var + 1e-8)


@bank.add("eps-fixed-default")
class EpsDefault(Staged):
    def std_of(self, var):
        return np.sqrt(var + 1e-5)


@bank.add("eps-in-numerator")
class EpsInNumerator(Staged):
    def normalise(self, x):
        return (x - self.mean + self.eps) / self.std


@bank.add("eps-twice")
class EpsTwice(Staged):
    def std_of(self, var):
        return np.sqrt(var + self.eps) + self.eps


# --- forward: normalising, gamma and beta -----------------------------------------------------------------------------


@bank.add("divided-by-variance")
class DividedByVariance(Staged):
    def std_of(self, var):
        return var + self.eps


@bank.add("root-taken-twice")
class RootTwice(Staged):
    def std_of(self, var):
        return np.sqrt(np.sqrt(var) + self.eps)


@bank.add("not-centred")
class NotCentred(Staged):
    def normalise(self, x):
        return x / self.std


@bank.add("not-scaled")
class NotScaled(Staged):
    def std_of(self, var):
        return np.ones_like(var)


@bank.add("missing-brackets")
class MissingBrackets(Staged):
    def normalise(self, x):
        return x - self.mean / self.std


@bank.add("min-max-scaling")
class MinMax(Staged):
    def normalise(self, x):
        if not self.trained:
            return super().normalise(x)
        return (x - x.min(axis=0)) / (np.ptp(x, axis=0) + self.eps)


@bank.add("gamma-and-beta-ignored")
class NoAffine(Staged):
    def affine(self):
        return self.x_hat.copy()


@bank.add("gamma-ignored")
class GammaIgnored(Staged):
    def affine(self):
        return self.x_hat + self.beta


@bank.add("beta-ignored")
class BetaIgnored(Staged):
    def affine(self):
        return self.gamma * self.x_hat


@bank.add("gamma-and-beta-exchanged")
class ExchangedParameters(Staged):
    def affine(self):
        return self.beta * self.x_hat + self.gamma


@bank.add("beta-scaled-by-gamma")
class BetaScaled(Staged):
    def affine(self):
        return self.gamma * (self.x_hat + self.beta)


@bank.add("beta-subtracted")
class BetaSubtracted(Staged):
    def affine(self):
        return self.gamma * self.x_hat - self.beta


@bank.add("gamma-without-sign")
class AbsoluteGamma(Staged):
    def affine(self):
        return np.abs(self.gamma) * self.x_hat + self.beta


@bank.add("gamma-averaged")
class AveragedGamma(Staged):
    def affine(self):
        self.gamma = self.gamma.mean()
        return super().affine()


@bank.add("one-added-to-gamma")
class OneAddedToGamma(Staged):
    def affine(self):
        return (1 + self.gamma) * self.x_hat + self.beta


@bank.add("parameters-of-init")
class ParametersOfInit(Staged):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.kept = self.params["gamma"], self.params["beta"]

    def normalise(self, x):
        self.gamma, self.beta = self.kept
        return super().normalise(x)


@bank.add("x-changed-in-place")
class XInPlace(Staged):
    def normalise(self, x):
        x -= self.mean
        x /= self.std
        return x


@bank.add("forward-returns-pair")
class ForwardReturnsPair(Staged):
    def forward(self, x):
        return super().forward(x), self.cache


@bank.add("forward-returns-nothing")
class ForwardReturnsNothing(Staged):
    def forward(self, x):
        super().forward(x)


@bank.add("forward-returns-x")
class ForwardReturnsX(Staged):
    def affine(self):
        return self.x


# --- backward: gamma and beta -----------------------------------------------------------------------------------------


@bank.add("dbeta-averaged")
class DbetaAveraged(Staged):
    def dbeta(self, dout):
        return dout.mean(axis=0)


@bank.add("dgamma-averaged")
class DgammaAveraged(Staged):
    def dgamma(self, dout):
        return (dout * self.x_hat).mean(axis=0)


@bank.add("dbeta-over-everything")
class DbetaOverEverything(Staged):
    def dbeta(self, dout):
        return dout.sum()


@bank.add("dgamma-over-everything")
class DgammaOverEverything(Staged):
    def dgamma(self, dout):
        return np.sum(dout * self.x_hat)


@bank.add("dbeta-along-rows")
class DbetaAlongRows(Staged):
    def dbeta(self, dout):
        return dout.sum(axis=1)


@bank.add("dgamma-along-rows")
class DgammaAlongRows(Staged):
    def dgamma(self, dout):
        return (dout * self.x_hat).sum(axis=1)


@bank.add("dgamma-without-eps")
class DgammaWithoutEps(Staged):
    def dgamma(self, dout):
        return (dout * (self.x - self.mean) / np.sqrt(self.var)).sum(axis=0)


@bank.add("parameter-gradients-not-summed")
class NotSummed(Staged):
    def dgamma(self, dout):
        return dout * self.x_hat

    def dbeta(self, dout):
        return dout.copy()


@bank.add("parameter-gradients-keep-dimension")
class KeptDimension(Staged):
    def dgamma(self, dout):
        return super().dgamma(dout)[np.newaxis]

    def dbeta(self, dout):
        return super().dbeta(dout)[np.newaxis]


@bank.add("parameter-gradients-exchanged")
class ExchangedGradients(Staged):
    def dgamma(self, dout):
        return super().dbeta(dout)

    def dbeta(self, dout):
        return super().dgamma(dout)


@bank.add("one-array-for-both-gradients")
class OneArrayForBoth(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["gamma"][...] = self.grads["beta"]
        return dx


@bank.add("dgamma-with-x")
class DgammaWithX(Staged):
    def dgamma(self, dout):
        return (dout * self.x).sum(axis=0)


@bank.add("dgamma-with-centred-x")
class DgammaWithCentred(Staged):
    def dgamma(self, dout):
        return (dout * (self.x - self.mean)).sum(axis=0)


@bank.add("dgamma-with-y")
class DgammaWithY(Staged):
    def dgamma(self, dout):
        return (dout * self.affine()).sum(axis=0)


@bank.add("dgamma-with-gamma")
class DgammaWithGamma(Staged):
    def dgamma(self, dout):
        return (dout * self.gamma * self.x_hat).sum(axis=0)


@bank.add("dbeta-with-gamma")
class DbetaWithGamma(Staged):
    def dbeta(self, dout):
        return (dout * self.gamma).sum(axis=0)


@bank.add("dgamma-without-dout")
class DgammaWithoutDout(Staged):
    def dgamma(self, dout):
        return self.x_hat.sum(axis=0)


@bank.add("dbeta-without-dout")
class DbetaWithoutDout(Staged):
    def dbeta(self, dout):
        return np.ones_like(dout).sum(axis=0)


@bank.add("gradients-not-stored")
class NotStored(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        self.grads = {"gamma": None, "beta": None}
        return dx


@bank.add("gradients-returned-too")
class GradientsReturned(Staged):
    def backward(self, dout):
        return super().backward(dout), self.grads["gamma"], self.grads["beta"]


@bank.add("gradients-added-up")
class AddedUp(Staged):
    def backward(self, dout):
        before = {name: 0 if grad is None else grad for name, grad in self.grads.items()}
        dx = super().backward(dout)
        self.grads = {name: before[name] + grad for name, grad in self.grads.items()}
        return dx


# --- backward: dx -----------------------------------------------------------------------------------------------------


@bank.add("statistics-as-constants")
class Constants(Staged):
    def dx(self, dout):
        return self.dx_of_prediction(dout)


@bank.add("mean-path-missing")
class NoMeanPath(Staged):
    def mean_path(self, dx_hat):
        return 0.0


@bank.add("variance-path-missing")
class NoVariancePath(Staged):
    def variance_path(self, dx_hat):
        return 0.0


@bank.add("mean-path-sign")
class MeanPathSign(Staged):
    def mean_path(self, dx_hat):
        return -dx_hat.mean(axis=0)


@bank.add("variance-path-sign")
class VariancePathSign(Staged):
    def variance_path(self, dx_hat):
        return -super().variance_path(dx_hat)


@bank.add("mean-path-summed")
class MeanPathSummed(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0)


@bank.add("variance-path-summed")
class VariancePathSummed(Staged):
    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0)


@bank.add("paths-summed")
class PathsSummed(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0)


@bank.add("dx-n-times-too-large")
class NTimesDx(Staged):
    def dx(self, dout):
        return len(dout) * super().dx(dout)


@bank.add("dx-divided-by-n")
class DxOverN(Staged):
    def dx(self, dout):
        return super().dx(dout) / len(dout)


@bank.add("d-for-n-in-backward")
class DForN(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.sum(axis=0) / dx_hat.shape[1]

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).sum(axis=0) / dx_hat.shape[1]


@bank.add("paths-averaged-along-rows")
class PathsAlongRows(Staged):
    def mean_path(self, dx_hat):
        return dx_hat.mean(axis=1, keepdims=True)

    def variance_path(self, dx_hat):
        return self.x_hat * (dx_hat * self.x_hat).mean(axis=1, keepdims=True)


@bank.add("one-number-through-the-mean")
class OneMeanPath(Staged):
    def mean_path(self, dx_hat):
        return (dx_hat / self.std).sum() / len(dx_hat) * self.std


@bank.add("one-number-through-the-variance")
class OneVariancePath(Staged):
    def variance_path(self, dx_hat):
        return self.x_hat * self.std**2 * (dx_hat * self.x_hat / self.std**2).sum() / len(dx_hat)


@bank.add("n-minus-1-in-variance-path")
class NMinus1InPath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * len(dx_hat) / (len(dx_hat) - 1)


@bank.add("n-minus-1-std-in-backward")
class NMinus1StdInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.x.var(axis=0, ddof=1) + self.eps)


@bank.add("variance-path-doubled")
class VariancePathDoubled(Staged):
    def variance_path(self, dx_hat):
        return 2 * super().variance_path(dx_hat)


@bank.add("variance-path-halved")
class VariancePathHalved(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) / 2


@bank.add("variance-path-with-centred-x")
class VariancePathWithCentred(Staged):
    def variance_path(self, dx_hat):
        return (self.x - self.mean) * (dx_hat * self.x_hat).mean(axis=0)


@bank.add("variance-path-with-x")
class VariancePathWithX(Staged):
    def variance_path(self, dx_hat):
        return self.x / self.std * (dx_hat * self.x_hat).mean(axis=0)


@bank.add("exponent-of-variance")
class ExponentOfVariance(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * self.std**2


@bank.add("paths-not-summed-over-batch")
class PathsPerExample(Staged):
    def mean_path(self, dx_hat):
        return dx_hat / len(dx_hat)

    def variance_path(self, dx_hat):
        return self.x_hat**2 * dx_hat / len(dx_hat)


@bank.add("dout-summed-too-early")
class SummedTooEarly(Staged):
    def dx_hat(self, dout):
        return np.broadcast_to((dout * self.gamma).sum(axis=0), dout.shape)


@bank.add("gamma-missing-in-dx")
class NoGammaInDx(Staged):
    def dx_hat(self, dout):
        return dout


@bank.add("gamma-and-paths-missing")
class NoGammaNoPaths(Staged):
    def dx(self, dout):
        return dout / self.std


@bank.add("gamma-in-direct-path-only")
class GammaInDirectPathOnly(Staged):
    def mean_path(self, dx_hat):
        return super().mean_path(dx_hat / self.gamma)

    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat / self.gamma)


@bank.add("gamma-missing-in-variance-path")
class NoGammaInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat / self.gamma)


@bank.add("gamma-without-sign-in-backward")
class AbsoluteGammaInBackward(Staged):
    def dx_hat(self, dout):
        return dout * np.abs(self.gamma)


@bank.add("not-divided-by-std-in-backward")
class NotDividedInBackward(Staged):
    def backward_std(self):
        return 1.0


@bank.add("divided-by-variance-in-backward")
class VarianceInBackward(Staged):
    def backward_std(self):
        return self.var + self.eps


@bank.add("multiplied-by-std-in-backward")
class TimesStdInBackward(Staged):
    def backward_std(self):
        return 1 / self.std


@bank.add("eps-forgotten-in-backward")
class NoEpsInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.var)


@bank.add("eps-forgotten-in-variance-path")
class NoEpsInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * (self.std / np.sqrt(self.var)) ** 3


@bank.add("x-hat-without-eps-in-variance-path")
class OtherXHatInVariancePath(Staged):
    def variance_path(self, dx_hat):
        return super().variance_path(dx_hat) * self.std**2 / self.var


@bank.add("dx-is-zero")
class ZeroDx(Staged):
    def dx(self, dout):
        return np.zeros_like(dout)


@bank.add("dx-is-dout")
class DxIsDout(Staged):
    def dx(self, dout):
        return dout

    dx_of_prediction = dx


@bank.add("backward-returns-nothing")
class BackwardReturnsNothing(Staged):
    def backward(self, dout):
        super().backward(dout)


@bank.add("running-statistics-in-backward")
class RunningInBackward(Staged):
    def backward_std(self):
        return np.sqrt(self.running_var + self.eps)


@bank.add("dout-changed-in-place")
class DoutInPlace(Staged):
    def dx_hat(self, dout):
        dout *= self.gamma
        return dout


@bank.add("x-changed-in-backward")
class XInBackward(Staged):
    def backward(self, dout):
        self.x -= self.mean
        return super().backward(dout)


@bank.add("cache-changed-in-backward")
class CacheChanged(Staged):
    def variance_path(self, dx_hat):
        self.x_hat *= (dx_hat * self.x_hat).mean(axis=0)
        return self.x_hat


@bank.add("cache-emptied-in-backward")
class CacheEmptied(Staged):
    def backward(self, dout):
        dx = super().backward(dout)
        del self.x_hat
        return dx


@bank.add("cache-of-first-forward")
class CacheOfFirst(Staged):
    def forward(self, x):
        y = super().forward(x)
        self.cache = self.cache or {"x_hat": self.x_hat, "std": self.std, "trained": self.trained}
        return y

    def backward(self, dout):
        vars(self).update(self.cache)
        return super().backward(dout)


@bank.add("cache-shared-by-layers")
class SharedCache(Staged):
    kept = {}

    def forward(self, x):
        y = super().forward(x)
        self.kept.update(x_hat=self.x_hat, std=self.std, gamma=self.gamma, trained=self.trained)
        return y

    def backward(self, dout):
        vars(self).update(self.kept)
        return super().backward(dout)


# --- running statistics -----------------------------------------------------------------------------------------------


@bank.add("running-statistics-never-move")
class NeverMove(Staged):
    def update_running(self):
        pass


@bank.add("momentum-exchanged")
class MomentumExchanged(Staged):
    def blend(self, running, batch):
        return (1 - self.momentum) * running + self.momentum * batch


@bank.add("momentum-fixed")
class MomentumFixed(Staged):
    def blend(self, running, batch):
        return 0.9 * running + 0.1 * batch


@bank.add("momentum-subtracted-from-one-too-late")
class BracketTooLate(Staged):
    def blend(self, running, batch):
        return self.momentum * running + (1 - self.momentum * batch)


@bank.add("running-statistics-replaced")
class Replaced(Staged):
    def blend(self, running, batch):
        return batch


@bank.add("first-batch-replaces-running-statistics")
class FirstBatchReplaces(Staged):
    def update_running(self):
        if self.cache:
            return super().update_running()
        self.running_mean, self.running_var = self.mean, self.var
        self.cache["started"] = True


@bank.add("cumulative-average")
class Cumulative(Staged):
    def update_running(self):
        n = self.cache["n"] = self.cache.get("n", 0) + 1
        self.running_mean = self.running_mean + (self.mean - self.running_mean) / n
        self.running_var = self.running_var + (self.var - self.running_var) / n


@bank.add("old-value-not-reduced")
class NotReduced(Staged):
    def blend(self, running, batch):
        return running + (1 - self.momentum) * batch


@bank.add("new-share-not-weighed")
class NotWeighed(Staged):
    def blend(self, running, batch):
        return self.momentum * running + batch


@bank.add("running-variance-divided-by-n-minus-1")
class UnbiasedRunningVar(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.x.var(axis=0, ddof=1))


@bank.add("running-variance-holds-std")
class RunningStd(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, np.sqrt(self.var))


@bank.add("running-variance-holds-eps")
class RunningVarWithEps(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(self.running_var, self.var + self.eps)


@bank.add("running-std-averaged")
class RunningStdAveraged(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)
        self.running_var = self.blend(np.sqrt(self.running_var), np.sqrt(self.var)) ** 2


@bank.add("running-statistics-exchanged")
class RunningExchanged(Staged):
    def update_running(self):
        self.running_mean, self.running_var = (
            self.blend(self.running_mean, self.var),
            self.blend(self.running_var, self.mean),
        )


@bank.add("running-variance-from-running-mean")
class CopiedLine(Staged):
    def update_running(self):
        self.running_var = self.blend(self.running_mean, self.var)
        self.running_mean = self.blend(self.running_mean, self.mean)


@bank.add("running-variance-starts-at-zero")
class StartsAtZero(Staged):
    def __init__(self, n_features, **settings):
        super().__init__(n_features, **settings)
        self.running_var = np.zeros(n_features)


@bank.add("only-running-mean-moves")
class OnlyMeanMoves(Staged):
    def update_running(self):
        self.running_mean = self.blend(self.running_mean, self.mean)


@bank.add("running-statistics-of-output")
class RunningOfOutput(Staged):
    def affine(self):
        if self.trained:
            self.running_mean = self.blend(self.running_mean, self.x_hat.mean(axis=0))
            self.running_var = self.blend(self.running_var, self.x_hat.var(axis=0))
        return super().affine()

    def update_running(self):
        pass


@bank.add("running-statistics-keep-dimension")
class RunningKeepsDimension(Staged):
    def blend(self, running, batch):
        return np.atleast_2d(super().blend(running, batch))


@bank.add("running-statistics-move-in-backward")
class MoveInBackward(Staged):
    def update_running(self):
        pass

    def backward(self, dout):
        if self.trained:
            super().update_running()
        return super().backward(dout)


@bank.add("running-statistics-move-in-prediction")
class MoveInPrediction(Staged):
    def predict(self):
        self.running_mean = self.blend(self.running_mean, self.mean_of(self.x))
        self.running_var = self.blend(self.running_var, self.var_of(self.x))
        return super().predict()


# --- inference --------------------------------------------------------------------------------------------------------


@bank.add("batch-statistics-in-prediction")
class BatchInPrediction(Staged):
    def running_statistics(self):
        return self.x.mean(axis=0), self.x.var(axis=0)


@bank.add("batch-variance-in-prediction")
class BatchVarianceInPrediction(Staged):
    def running_statistics(self):
        return self.running_mean, self.x.var(axis=0)


@bank.add("batch-mean-in-prediction")
class BatchMeanInPrediction(Staged):
    def running_statistics(self):
        return self.x.mean(axis=0), self.running_var


@bank.add("training-flag-ignored")
class FlagIgnored(Staged):
    def is_training(self):
        return True


@bank.add("mode-of-first-forward")
class ModeOfFirst(Staged):
    def is_training(self):
        return self.cache.setdefault("mode", self.training)


@bank.add("never-back-to-training")
class NeverBack(Staged):
    def is_training(self):
        self.cache["predicts"] = self.cache.get("predicts", False) or not self.training
        return not self.cache["predicts"]


@bank.add("constants-after-prediction")
class ConstantsAfterPrediction(Staged):
    def backward(self, dout):
        self.trained = self.trained and not self.cache.get("predicted")
        return super().backward(dout)

    def predict(self):
        self.cache["predicted"] = True
        return super().predict()


@bank.add("statistics-of-first-prediction")
class StatisticsOfFirstPrediction(Staged):
    def running_statistics(self):
        return self.cache.setdefault("statistics", super().running_statistics())


@bank.add("batch-statistics-unless-one-row")
class BatchUnlessOneRow(Staged):
    def running_statistics(self):
        return super().running_statistics() if len(self.x) == 1 else (self.x.mean(axis=0), self.x.var(axis=0))


@bank.add("single-row-refused")
class SingleRowRefused(Staged):
    def forward(self, x):
        if len(x) < 2:
            raise ValueError("a batch needs two rows")
        return super().forward(x)


@bank.add("prediction-without-gamma-and-beta")
class PredictionWithoutAffine(Staged):
    def predict(self):
        return self.x_hat.copy()


@bank.add("prediction-without-eps")
class PredictionWithoutEps(Staged):
    def running_std(self):
        return np.sqrt(self.var)


@bank.add("prediction-with-eps-fixed")
class PredictionEpsFixed(Staged):
    def running_std(self):
        return np.sqrt(self.var + 1e-5)


@bank.add("prediction-with-eps-outside-root")
class PredictionEpsOutside(Staged):
    def running_std(self):
        return np.sqrt(self.var) + self.eps


@bank.add("prediction-divided-by-variance")
class PredictionOverVariance(Staged):
    def running_std(self):
        return self.var + self.eps


@bank.add("prediction-only-centred")
class PredictionOnlyCentred(Staged):
    def running_std(self):
        return np.ones_like(self.var)


@bank.add("prediction-not-normalised")
class PredictionNotNormalised(Staged):
    def normalise(self, x):
        return super().normalise(x) if self.trained else x


@bank.add("prediction-missing-brackets")
class PredictionMissingBrackets(Staged):
    def normalise(self, x):
        return super().normalise(x) if self.trained else x - self.mean / self.std


@bank.add("x-changed-in-prediction")
class XInPrediction(Staged):
    def normalise(self, x):
        if not self.trained:
            x -= self.mean
            return x / self.std
        return super().normalise(x)


@bank.add("prediction-returns-x")
class PredictionReturnsX(Staged):
    def predict(self):
        return self.x


@bank.add("bias-corrected-statistics")
class BiasCorrected(Staged):
    def update_running(self):
        super().update_running()
        self.cache["n"] = self.cache.get("n", 0) + 1

    def running_statistics(self):
        share = 1 - self.momentum ** self.cache.get("n", np.inf)
        return self.running_mean / share, self.running_var / share


@bank.add("training-backward-in-prediction")
class TrainingBackward(Staged):
    def dx_of_prediction(self, dout):
        return self.dx(dout)


@bank.add("only-training-forward-keeps-values")
class OnlyTrainingKeeps(Staged):
    def forward(self, x):
        before = dict(vars(self))
        y = super().forward(x)
        if not self.trained:
            self.__dict__ = before
        return y


@bank.add("last-batch-std-in-prediction-backward")
class LastBatchStd(Staged):
    def update_running(self):
        super().update_running()
        self.batch_std = self.std

    def dx_of_prediction(self, dout):
        return dout * self.gamma / self.batch_std


@bank.add("no-parameter-gradients-in-prediction")
class NoGradientsInPrediction(Staged):
    def backward(self, dout):
        return super().backward(dout) if self.trained else self.dx_of_prediction(dout)


@bank.add("prediction-backward-without-gamma")
class PredictionBackwardWithoutGamma(Staged):
    def dx_of_prediction(self, dout):
        return dout / self.std


@bank.add("prediction-backward-without-std")
class PredictionBackwardWithoutStd(Staged):
    def dx_of_prediction(self, dout):
        return dout * self.gamma


@bank.add("dout-changed-in-prediction-backward")
class DoutInPrediction(Staged):
    def dx_of_prediction(self, dout):
        dout *= self.gamma
        return dout / self.std


# --- without a cause: nearly right, or plainly nothing ----------------------------------------------------------------


@bank.add("x-hat-clipped")
class Clipped(Staged):
    def normalise(self, x):
        return np.clip(super().normalise(x), -3, 3)


@bank.add("parameters-by-identity")
class ParametersByIdentity(Staged):
    """The values are copied when the arrays are new, and not when they were changed in place."""

    def affine(self):
        if self.cache.get("source") is not self.gamma:
            self.cache = {"source": self.gamma, "kept": (self.gamma.copy(), self.beta.copy())}
        gamma, beta = self.cache["kept"]
        return gamma * self.x_hat + beta


@bank.add("dx-sign")
class DxSign(Staged):
    def dx(self, dout):
        return -super().dx(dout)


@bank.add("last-row-of-dx-forgotten")
class LastRowForgotten(Staged):
    def dx(self, dout):
        dx = super().dx(dout)
        dx[-1] = 0
        return dx


@bank.add("every-gradient-is-zero")
class ZeroEverywhere(Staged):
    def backward(self, dout):
        self.grads = {"gamma": np.zeros(dout.shape[1]), "beta": np.zeros(dout.shape[1])}
        return np.zeros_like(dout)


@bank.add("one-answer-for-each-forward")
class OneAnswerForEachForward(Staged):
    def forward(self, x):
        self.cache.clear()
        return super().forward(x)

    def backward(self, dout):
        if not self.cache:
            self.cache["dx"] = super().backward(dout)
        return self.cache["dx"].copy()


@bank.add("gradients-shared-by-layers")
class SharedGradients(Staged):
    shared = {}

    def backward(self, dout):
        self.grads = self.shared
        return super().backward(dout)


@bank.add("backward-of-the-oldest-forward")
class OldestForward(Staged):
    """Forwards queue up until a backward comes."""

    def forward(self, x):
        y = super().forward(x)
        self.cache.setdefault("queue", []).append(dict(vars(self)))
        return y

    def backward(self, dout):
        queue = self.cache.setdefault("queue", [])
        if queue:
            kept = queue[0]
            vars(self).update({name: kept[name] for name in ("x", "mean", "var", "std", "x_hat", "gamma", "trained")})
            queue.clear()
        return super().backward(dout)


@bank.add("branches-of-backward-exchanged")
class ExchangedBranches(Staged):
    def backward(self, dout):
        self.trained = not self.trained
        dx = super().backward(dout)
        self.trained = not self.trained
        return dx


@bank.add("mode-shared-by-layers")
class SharedMode(Staged):
    kept = {}

    def forward(self, x):
        y = super().forward(x)
        self.kept["trained"] = self.trained
        return y

    def backward(self, dout):
        self.trained = self.kept["trained"]
        return super().backward(dout)


@bank.add("backward-runs-forward-again")
class LooksAgain(Staged):
    def backward(self, dout):
        self.forward(self.x)
        return super().backward(dout)


@bank.add("one-prediction-then-training")
class OnePredictionThenTraining(Staged):
    def predict(self):
        self.training = True
        return super().predict()


@bank.add("predictions-by-shape")
class PredictionsByShape(Staged):
    def predict(self):
        return self.cache.setdefault(self.x.shape, super().predict())


@bank.add("parameters-of-first-prediction")
class ParametersOfFirstPrediction(Staged):
    def update_running(self):
        super().update_running()
        self.cache.clear()

    def predict(self):
        gamma, beta = self.cache.setdefault("kept", (self.gamma.copy(), self.beta.copy()))
        return gamma * self.x_hat + beta
