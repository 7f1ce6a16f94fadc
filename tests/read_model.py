# A model file read with nothing but Python's standard library, as docs/guide.md says that it can be; NumPy, where there
# is one, sees the same numbers.
#
# SPDX-License-Identifier: GPL-3.0-or-later
import array
import json
import struct
import sys
import zlib

raw = open(sys.argv[1], "rb").read()
(length,) = struct.unpack("<Q", raw[:8])
header = json.loads(raw[8 : 8 + length])
texts = header.pop("__metadata__")
assert texts["format"] == "kan" and texts["version"] == "1" and texts["model"] == "kan"

at = raw.index(b'"crc32":"') + len(b'"crc32":"')
zeroed = raw[:at] + b"00000000" + raw[at + 8 :]
assert "%08x" % zlib.crc32(zeroed) == texts["crc32"]

data = raw[8 + length :]
end = 0
for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
    begin, end_of_it = entry["data_offsets"]
    assert begin == end, name
    end = end_of_it
    count = 1
    for size in entry["shape"]:
        count *= size
    assert (end - begin) == count * {"F64": 8, "U8": 1}[entry["dtype"]], name
assert end == len(data)

begin, end = header["layer0.theta"]["data_offsets"]
theta = array.array("d", data[begin:end])
width = [int(w) for w in texts["kan.width"].split(",")]
rows = int(texts["kan.n_cells"]) + int(texts["kan.degree"]) + 1
assert header["layer0.theta"]["shape"] == [width[0], rows, width[1]] and len(theta) == width[0] * rows * width[1]
assert json.loads(texts["kan.training"])["run"]["steps"] > 0
try:
    import numpy
except ImportError:
    print("read without NumPy")
else:
    assert (numpy.frombuffer(data[begin:end], "<f8") == theta).all()
    print("read")
