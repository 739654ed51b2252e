"""What orchesjob does; the same tests run on the real one and on the fake.

`test_contract_*` run on both; `test_fake_*` show the faults that only the fake has.
"""
