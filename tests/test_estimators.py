"""scikit-learn's own checks of our estimators, and the tools that people use them with."""

from __future__ import annotations

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from tinygrad_edu.estimators import Classifier, Regressor


@pytest.mark.parametrize("kind", [Regressor, Classifier])
def test_all_checks_of_scikit_learn(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check_estimator(kind(), on_skip=None, on_fail=None)
    failed = [r["check_name"] for r in report if r["status"] not in ("passed", "skipped")]
    assert failed == []
    assert [r["check_name"] for r in report if r["status"] == "skipped"] == [
        "check_array_api_input"
    ]  # of arrays from other libraries; an environment variable turns it on
    assert len(report) > 50


def test_no_tag_excuses_anything():
    for kind in (Regressor, Classifier):
        tags = kind().__sklearn_tags__()
        either = tags.regressor_tags or tags.classifier_tags
        assert not tags.no_validation
        assert not tags.non_deterministic
        assert not either.poor_score


def test_a_linear_regressor_is_ridge_regression():
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    alpha, n = 0.1, len(X)
    ours = Regressor(alpha=alpha).fit(X, y)
    ridge = Ridge(alpha=n * alpha / 2.0).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), ridge.predict(X), rtol=1e-9)


def test_a_linear_classifier_is_logistic_regression():
    X, y = load_iris(return_X_y=True)
    alpha, n = 0.01, len(X)
    ours = Classifier(alpha=alpha).fit(X, y)
    logistic = LogisticRegression(C=1.0 / (n * alpha), tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), logistic.predict_proba(X), atol=1e-6)


def test_weights_count_rows():
    rng = np.random.default_rng(0)
    X, weights = rng.normal(size=(30, 2)), rng.integers(0, 4, 30)
    for estimator, y in ((Regressor(), X @ [2.0, -1.0]), (Classifier(), X[:, 0] > 0.2)):
        weighted = clone(estimator).fit(X, y, sample_weight=weights).predict(X)
        repeated = clone(estimator).fit(np.repeat(X, weights, 0), np.repeat(y, weights))
        np.testing.assert_allclose(weighted, repeated.predict(X), rtol=1e-10)


def test_pipelines_searches_and_cross_validation():
    X, y = load_iris(return_X_y=True)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Classifier(max_iter=2000, random_state=0)),
        {"classifier__hidden": [(), (3,)], "classifier__alpha": [1e-3]},
        cv=2,
    ).fit(X[::3], y[::3])
    assert search.best_score_ > 0.85
    assert pickle.loads(pickle.dumps(search)).predict(X).tolist() == search.predict(X).tolist()
    assert cross_val_score(Regressor(), X[:, :3], X[:, 3], cv=2).mean() > 0.5


def test_the_network_inside_is_one_of_ours():
    X, y = load_iris(return_X_y=True)
    classifier = Classifier().fit(X[::5], np.array(["a", "b", "c"])[y[::5]])
    np.testing.assert_allclose(
        np.argmax(classifier.model_.predict(X), axis=1),
        np.searchsorted(classifier.classes_, classifier.predict(X)),
    )
    assert "export function" in classifier.model_.export("javascript")


def test_without_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = None\nimport tinygrad_edu\n"
        "try: from tinygrad_edu import estimators\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'tinygrad-edu[sklearn]'" in done.stdout
