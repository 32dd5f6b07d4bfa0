"""The module on systems that are not Unix."""
import subprocess
import sys
import tempfile
import unittest

# As Windows has it: no fcntl, and none of the calls and flags that Python has on Unix alone.
WINDOWS = """
import os, sys
sys.modules["fcntl"] = None
for name in "O_CLOEXEC", "pread", "pwrite", "preadv", "fork", "getuid":
    if hasattr(os, name): delattr(os, name)
import sealstream
try:
    sealstream.Client("http://127.0.0.1:1", spool=sys.argv[1])
except NotImplementedError as error:
    assert "needs Unix" in str(error), error
else:
    raise SystemExit("a client without a lock")
assert os.listdir(os.path.dirname(sys.argv[1])) == [], "it left something behind"
"""


class OtherSystems(unittest.TestCase):
    def test_without_fcntl(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, "-c", WINDOWS, folder + "/spool"], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
