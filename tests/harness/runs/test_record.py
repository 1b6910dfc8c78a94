"""Records as lines of JSON: nothing is lost, and a bad line says where it is."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.runs.record import Cell, Record, from_json, to_json
from harness.verdicts import RIGHT, Outcome, Verdict

FLOAT_FIELDS = [f.name for f in msgspec.structs.fields(Record) if f.type == float | None]
WORDS = st.text(max_size=12) | st.sampled_from(
    ["nan", "inf", "null", "1", "true", "zeilen\nende", '"', "±710"]
)
ANY = st.builds(
    Record,
    **dict.fromkeys(
        ("case", "input", "dtype", "oracle", "shapes", "diagnosis", "where", "true_digits"), WORDS
    ),
    seed=st.integers(0, 2**63 - 1),
    verdict=st.sampled_from(Verdict),
    outcome=st.sampled_from(Outcome),
    **{name: st.none() | st.floats() for name in FLOAT_FIELDS},
)
RECORDS = ANY.filter(lambda r: r.verdict not in RIGHT or math.isfinite(r.bits_lost or 0)).filter(
    lambda r: not math.isnan(r.proven_digits or 0)
)


def record(**fields):
    plain = {"case": "relu", "input": "zeros", "dtype": "float64", "oracle": "jax", "seed": 0}
    return Record(**{**plain, "outcome": Outcome.PASS, **fields})


def same(a, b):
    def plain(r):
        return [repr(value) for value in msgspec.structs.astuple(r)]  # NaN is not equal to itself

    return plain(a) == plain(b)


def test_there_are_float_fields_to_try():
    assert {"bits_lost", "error_ulp", "attainable_ulp", "bound_ulp", "scaled_error"} <= set(FLOAT_FIELDS)
    assert len(FLOAT_FIELDS) > 10


@given(original=RECORDS)
def test_a_record_survives_its_line_of_json(original):
    line = to_json(original)
    assert b"\n" not in line
    assert same(from_json(line), original)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"verdict": Verdict.ACCURATE, "bits_lost": math.nan}, "bits_lost is nan, with the verdict accurate"),
        ({"verdict": Verdict.CONVENTION, "bits_lost": math.inf}, "bits_lost is inf, with the verdict conv"),
        ({"verdict": Verdict.WRONG, "proven_digits": math.nan}, "proven_digits is nan"),
    ],
)
def test_numbers_that_no_run_writes_are_refused(fields, said):
    """What is right lost a number of bits; what is proven has a number of digits."""
    with pytest.raises(ValueError, match=f"not a record: {said}"):
        from_json(to_json(record(**fields)))


@given(original=RECORDS)
def test_a_line_is_json_that_any_reader_takes(original):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    plain = json.loads(to_json(original), parse_constant=refuse)
    assert list(plain) == list(Record.__struct_fields__)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", [float, np.float64])
def test_numbers_that_json_lacks_come_back(value, kind):
    assert same(from_json(to_json(record(computed=kind(value)))), record(computed=value))


def test_an_unknown_field_is_refused_by_name():
    line = to_json(record()).replace(b'"diagnosis"', b'"raison"')
    with pytest.raises(ValueError, match=r"not a record: .*unknown field `raison`"):
        from_json(line)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"pass"', b'"splendid"', "Invalid enum value 'splendid'"),
        (b'"verdict":""', b'"verdict":"agrees"', "Invalid enum value 'agrees'"),
        (b'"bits_lost":null', b'"bits_lost":"some"', "at `\\$.bits_lost`"),
        (b'"seed":0', b'"seed":"x"', "Expected `int`, got `str` - at `\\$.seed`"),
        (b'"computed":null', b'"computed":"many"', "at `\\$.computed`"),
        (b'"case":"relu",', b"", "missing required field `case`"),
    ],
)
def test_a_wrong_field_is_named(old, new, message):
    line = to_json(record())
    assert old in line
    with pytest.raises(ValueError, match=message):
        from_json(line.replace(old, new))


def test_a_record_knows_its_cell():
    assert record(seed=4, diagnosis="r").cell == Cell("relu", "zeros", "float64", "jax", 4)
