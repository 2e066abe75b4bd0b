"""Compare a CSV table with the Parquet file of the same rows: columns, order, types, values to the
bit and what is missing. Prints the types and how often each column has no value, as JSON."""

import json
import sys

import pandas as pd

NUMBERS = {"label": "int64", "score": "float64", "coverage": "float64", "time_s": "float64"}

text, columnar = sys.argv[1:]
names = pd.read_csv(text, nrows=0).columns
types = {name: NUMBERS.get(name, "str") for name in names}
expected = pd.read_csv(
    text, dtype=types, float_precision="round_trip", keep_default_na=False, na_values=[""]
)
found = pd.read_parquet(columnar, engine="pyarrow")
pd.testing.assert_frame_equal(found, expected, check_exact=True)
print(json.dumps({
    "rows": len(found),
    "types": {name: str(kind) for name, kind in found.dtypes.items()},
    "missing": {name: int(count) for name, count in found.isna().sum().items()},
}))
