"""A whole run leaves nothing untried on a database, and hardly anything to be tried twice."""

from pairings import DATABASES, surplus

MANY = [f"wire/test_x.py::test_many[{database}-{each}]" for each in ("a", "b-c", "d") for database in DATABASES]
ALONE = [f"wire/test_x.py::test_alone[{database}]" for database in DATABASES]
ONE_SIDED = [f"wire/test_x.py::test_one[sqlite-{each}]" for each in "ab"]
PLAIN = ["rules/test_y.py::test_plain", "rules/test_y.py::test_plain_too[a]"]


def test_variants_take_turns_and_each_is_run_once() -> None:
    left = [each for each in MANY if each not in surplus([*MANY, *ALONE, *ONE_SIDED, *PLAIN])]
    assert left == [MANY[0], MANY[3], MANY[4]]
    assert {database for database in DATABASES for each in left if database in each} == set(DATABASES)


def test_what_has_no_variants_or_no_other_database_is_kept() -> None:
    assert surplus([*ALONE, *ONE_SIDED, *PLAIN]) == set()
    assert surplus([*MANY, *ALONE, *ONE_SIDED, *PLAIN]) < set(MANY)
