from doctor.wording import counted


def test_a_noun_follows_its_number():
    assert [counted(number, "row") for number in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]
    assert counted(3, "batch", "batches") == "3 batches"
