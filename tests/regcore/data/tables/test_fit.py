import numpy as np
import pandas as pd
import pyarrow as pa
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from regcore.data.tables.facts import Reading
from regcore.data.tables.features import Feature
from regcore.data.tables.fit import fit_columns

READING = Reading(num_missing=0, num_distinct=0)


def number(name, **more):
    return Feature(name, "number", READING, **more)


def category(name, num_categories, **more):
    return Feature(name, "category", READING, num_categories=num_categories, **more)


def arrow(**columns):
    return {name: pa.chunked_array([pa.array(cells)]) for name, cells in columns.items()}


def fit(features, train, *, missing="mean", standardize=True):
    return fit_columns(features, train, missing=missing, standardize=standardize, given=[f.name for f in features])


def test_numbers_and_categories_are_scikit_learns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(5, 9, size=80), "c": rng.choice(["x", "y"], 80)})
    frame.loc[::7, "a"] = np.nan
    train, rest = frame[:60], frame[60:]
    theirs = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(add_indicator=False), StandardScaler()), ["a", "b"]),
            ("categories", OneHotEncoder(sparse_output=False), ["c"]),
        ]
    ).fit(train)

    features = [number("a", has_gaps=True), number("b"), category("c", 2)]
    fitted = fit(features, arrow(a=pa.array(train.a, from_pandas=True), b=train.b, c=train.c))
    rows = fitted.encode(arrow(a=pa.array(rest.a, from_pandas=True), b=rest.b, c=rest.c), np.float64).x

    np.testing.assert_allclose(rows[:, [0, 2, 3, 4]], theirs.transform(rest), atol=1e-12)
    np.testing.assert_array_equal(rows[:, 1], rest.a.isna())
    assert not rows[:, 5].any()


def test_a_table_of_numbers_is_standardized_as_scikit_learn_does():
    x = load_wine().data
    columns = [f"c{k}" for k in range(x.shape[1])]
    train, new = (arrow(**dict(zip(columns, rows.T, strict=True))) for rows in (x[:100], x[100:]))

    fitted = fit([number(name) for name in columns], train)

    expected = StandardScaler().fit(x[:100]).transform(x[100:])
    np.testing.assert_allclose(fitted.encode(new, np.float64).x, expected, rtol=1e-12)


def test_many_columns_are_scaled_as_few_are():
    values = np.random.default_rng(0).normal(3, 2, size=(50, 150))
    names = [f"c{k}" for k in range(150)]

    together = fit([number(name) for name in names], arrow(**dict(zip(names, values.T, strict=True))))

    np.testing.assert_allclose([column.mean for column in together.encoded], values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose([column.std for column in together.encoded], values.std(axis=0), rtol=1e-12)
