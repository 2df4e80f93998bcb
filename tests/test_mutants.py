"""Slips that nobody wrote down: what operators make of right solutions, and what is told of them."""

import ast
import re
import tomllib

import numpy as np
import pytest
from conftest import COURSE

from autograder.checks.exercise import Implementation
from autograder.checks.judge import judge
from autograder.exercises import every_exercise
from autograder.exercises.recorded import known_mistakes, recorded, trials
from reference.audit.checks import Material
from reference.audit.slips import audit_slips
from reference.bank import FOLDER
from reference.fingerprints import Behaviour
from reference.mutants.known import Observed, two_at_once
from reference.mutants.operators import OPERATORS, Place, called, name_of
from reference.mutants.sources import REFERENCE, Mutant, both, quantities
from reference.mutants.words import Words, words_of
from tests.slips import mutants_in, styles_of

EXERCISES = {exercise.id: exercise for exercise in every_exercise()}
SOLUTIONS = sorted({exercise.solution for exercise in EXERCISES.values()})
WORDS = tomllib.loads((FOLDER / "mutants" / "words.toml").read_text(encoding="utf-8"))


def all_slips(solution):
    return [slip for style in styles_of(solution) for slip in mutants_in(style)]


def slips_of(source, name):
    """operator -> the changed source, for all slips of the kind `name` in an expression."""
    tree = ast.parse(f"def f(x, n):\n    y = {source}\n    return y")
    function = tree.body[0]
    found = {}

    def walk(node, parents):
        for change in OPERATORS[[o.__name__ for o in OPERATORS].index(name)](Place(node, parents)):
            if isinstance(change.new, ast.expr):
                found.setdefault(change.operator, []).append((change.quantity, change.part, ast.unparse(change.new)))
        for child in ast.iter_child_nodes(node):
            walk(child, (*parents, node))

    walk(function.body[0], (tree, function))
    return found


@pytest.mark.parametrize(
    "kind, source, operator, expected",
    [
        ("axis", "x.mean(axis=0)", "axis-left-out", ("y", "", "x.mean()")),
        ("axis", "np.sum(x * y, 0)", "axis-exchanged", ("y", "", "np.sum(x * y, axis=1, keepdims=True)")),
        ("axis", "x.sum(axis=0)", "not-summed", ("y", "", "x")),
        ("axis", "np.mean(x * y, axis=0)", "not-summed", ("y", "", "x * y / len(x * y)")),
        ("reduction", "x.sum(axis=0)", "averaged", ("y", "", "x.mean(axis=0)")),
        ("reduction", "2 * x.mean(axis=0)", "summed", ("mean(x)", "", "x.sum(axis=0)")),
        ("reduction", "x.var(axis=0)", "n-minus-1", ("y", "", "x.var(axis=0, ddof=1)")),
        ("count", "s / len(x)", "d-for-n", ("y", "", "np.shape(x)[-1]")),
        ("term", "a + b", "term-left-out", ("y", "b", "a")),
        ("term", "a - b", "sign-turned", ("y", "b", "a + b")),
        ("term", "a / b", "upside-down", ("y", "", "b / a")),
        ("function", "np.log10(x)", "natural-logarithm", ("y", "", "np.log(x)")),
        ("epsilon", "np.sqrt(v + self.eps)", "eps-outside-root", ("y", "", "np.sqrt(v) + self.eps")),
        (
            "weights",
            "self.momentum * r + (1 - self.momentum) * b",
            "weights-exchanged",
            ("y", "", "(1 - self.momentum) * r + self.momentum * b"),
        ),
    ],
)
def test_an_operator_makes_this_slip(kind, source, operator, expected):
    assert expected in slips_of(source, kind)[operator]


def test_a_letter_counts_examples_only_where_it_is_made_so():
    """`m` may also be an average of gradients."""
    assert slips_of("m / (1 - b)", "count") == {}
    slips = slips_of("s / m\n    m = t.shape[0]", "count")
    assert {kind: texts for kind, ((_quantity, _part, *texts),) in slips.items()} == {
        "n-minus-1": ["m - 1"],
        "d-for-n": ["np.shape(t)[-1]"],
    }


def test_names_are_those_that_the_words_are_listed_by():
    names = [
        name_of(ast.parse(text, mode="eval").body) for text in ("self.x_hat", 'c["std"]', 'l.grads["W"]', "a * self.b")
    ]
    assert names == ["x_hat", "std", "grads.W", "a*b"]
    assert called(ast.parse("np.linalg.norm(x)", mode="eval").body) == "norm"


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_every_style_is_right_and_slips_are_made_in_it(solution):
    for style in styles_of(solution):
        unchanged = Mutant(style, ())
        for exercise in EXERCISES.values():
            if exercise.solution == solution:
                seen = [exercise.observe(unchanged.implementation(), e.case) for e in recorded(exercise)]
                assert judge(exercise, trials(recorded(exercise), seen)).full, style.id
        assert len({slip.source for slip in mutants_in(style)}) == len(mutants_in(style)) > 5


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_what_students_are_given_has_no_slips(solution):
    reference = styles_of(solution)[0]
    given = {
        ast.unparse(n) for n in ast.walk(reference.tree) if isinstance(n, ast.FunctionDef) and n.name in reference.given
    }
    assert reference.id == REFERENCE
    for slip in mutants_in(reference):
        assert given <= {ast.unparse(n) for n in ast.walk(ast.parse(slip.source)) if isinstance(n, ast.FunctionDef)}


def test_slips_of_parameters_are_made_where_there_are_parameters_and_know_the_lessons_layers():
    operators = {slip.change.operator for slip in all_slips("gradient_monitor")}
    assert not operators & {"weights-only", "weights-and-biases-only"}
    slip = next(s for s in mutants_in(styles_of("clip_gradients")[0]) if s.change.operator == "linear-only")
    assert slip.implementation().clip_gradients([]) == (0.0, 1.0)


@pytest.mark.parametrize("solution", ["adam", "clip_gradients", "depth_study", "sgd"])
def test_a_slip_that_takes_linear_layers_alone_does_something_to_them(solution):
    """Where a loop goes through numbered layers, or arrays, a filter that asks what is no layer keeps nothing."""
    for slip in all_slips(solution):
        kept = [ast.unparse(c.new) for _n, c in slip.changes if c.operator == "linear-only"]
        assert all(("enumerate(" in one) == ("isinstance(l_[1], Linear)" in one) for one in kept)
        assert not any("_present(" in one for one in kept)


def test_what_several_pairs_of_slips_show_tells_what_they_have_in_common():
    a, b, c = (Words(name, "root-left-out") for name in "abc")
    pairs = {
        "one": [("reference", [(a, ("x",)), (b, ("y",))])],
        "common": [("reference", [(a, ("x",)), (b, ("y",))]), ("other", [(a, ("x",)), (c, ("z",))])],
        "nothing": [("reference", [(a, ("x",)), (b, ("y",))]), ("other", [(c, ("z",)), (c, ("z",))])],
        "alone": [("reference", [(a, ("x",)), (b, ("y",))])],
        "": [("reference", [(a, ("x",)), (b, ("y",))])],
    }
    single = Observed(c, {"e": Behaviour({}, (), says_much=True, digest="alone")})
    assert two_at_once("e", pairs, [single]) == {"one": [(a, ("x",)), (b, ("y",))], "common": [(a, ("x",))]}
    assert two_at_once("e", pairs, [single], without="other")["common"] == [(a, ("x",)), (b, ("y",))]
    assert two_at_once("e", pairs, [single], without="reference").keys() == {"common", "nothing"}


def test_two_slips_at_once_are_both_there():
    slips = {slip.change.operator: slip for slip in mutants_in(styles_of("clip_gradients")[0])}
    pair = both(slips["root-left-out"], slips["returned-turned"])
    assert "np.sqrt" not in pair.source and slips["returned-turned"].source != pair.source
    assert both(slips["root-left-out"], slips["root-left-out"]) is None


def test_every_operator_has_its_sentence_and_no_sentence_is_without_one():
    source = (FOLDER / "mutants" / "operators.py").read_text(encoding="utf-8")
    for name, entry in WORDS.items():
        assert f'"{name}"' in source or name.endswith("-left-out"), name
        assert entry.keys() == {"cause", "hint"} and entry["hint"]["en"].endswith("?"), name
        assert all(set(texts) == {"en", "ja"} for texts in entry.values()) and entry["hint"]["ja"].endswith("？"), name
    made = {slip.change.operator for solution in SOLUTIONS for slip in all_slips(solution)}
    assert made <= WORDS.keys()
    assert len(OPERATORS) == len(re.findall(r"^@operator$", source, re.M))


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_sentences_have_the_lessons_words_and_no_code(solution):
    told = {words_of(solution, slip.change) for slip in all_slips(solution)}
    sentences = [text for words in told for text in (*words.cause.values(), *words.hint.values())]
    assert sentences and not [
        text for text in sentences if re.search(r"[{}\[\]*/=]|np\.|self\.", text.replace("training = False", ""))
    ]
    for kind in ("quantities", "parts", "conditions"):
        names = [
            name for entry in quantities(solution).get(kind, []) for name in (*entry["names"], *entry.get("not", []))
        ]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("solution", SOLUTIONS)
def test_sentences_read_well_with_every_quantity(solution):
    told = {words_of(solution, slip.change) for slip in all_slips(solution)}
    for text in (text for words in told for texts in (words.cause, words.hint) for text in texts.values()):
        assert not re.search(
            r"factor the|by what is|the (update|slope|loss) come|of (exploding|vanishing|dx) is", text
        ), text
        assert not re.search(r"In (\w+), (the multiplication by )?\1 ", text), text
        assert not re.search("[a-z][\u3040-\u9fff]|[\u3040-\u9fff][a-z]", text), text


def test_one_slip_is_told_alike_in_all_styles():
    """The term of the mean left out, in a formula that the bank has no fingerprint of."""
    exercise = EXERCISES["batch_norm_backward"]
    style = next(style for style in styles_of("batch_norm") if style.id == "CompactThreeTerms")
    slip = next(s for s in mutants_in(style) if s.change.operator == "term-left-out" and s.change.part == "dbeta")
    with np.errstate(all="ignore"):
        seen = [exercise.observe(slip.implementation(), e.case) for e in recorded(exercise)]
    result = judge(exercise, trials(recorded(exercise), seen), lambda: known_mistakes(exercise))
    assert {cause for item in result.items for cause in item.causes} == {"mean-path-missing"}


def test_an_implementation_is_what_its_cell_defines():
    slip = mutants_in(styles_of("gradient_profile")[1])[0]
    assert isinstance(slip.implementation(), Implementation) and callable(slip.implementation().gradient_slope)


def test_the_audit_counts_what_is_told_of_slips_without_fingerprints():
    steps = []
    found = audit_slips(
        Material(COURSE, ["gradient_profile"]), most=2, pairs=10, tell=lambda *step: steps.append(step[:2])
    )
    assert steps == [(0, 4), (1, 4), (2, 4), (3, 4)]
    others = len(quantities("gradient_profile")["styles"])
    assert sum(map(len, found.other_style.values())) == 2 * others
    assert sum(map(len, found.pairs.values())) == 10
    assert len(found.other_style["right"]) > len(found.other_style["wrong"])
    assert found.slips == len(all_slips("gradient_profile"))
    assert not found.unnoticed and len(found.unseen) < found.slips / 10
