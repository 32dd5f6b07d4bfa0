"""The package in a fresh virtual environment, without a network."""
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import unittest
import venv

HERE = pathlib.Path(__file__).resolve().parent
PROBE = """
import importlib.metadata, pathlib, sealstream, sealstream_redact, sealstream_verify
assert importlib.metadata.version("sealstream") == sealstream.__version__
assert pathlib.Path(sealstream.__file__).with_name("py.typed").exists()
print(sealstream.__file__)
"""


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.venv = pathlib.Path(cls.folder.name, "venv")
        venv.create(cls.venv, with_pip=True)
        cls.source = pathlib.Path(cls.folder.name, "source")
        ignored = shutil.ignore_patterns("__pycache__", "test_*")
        shutil.copytree(HERE, cls.source, ignore=ignored)

    def run_in(self, *argv):
        """Runs a program of the environment, for which no server can be found."""
        env = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
        env.update(PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", http_proxy="http://127.0.0.1:9",
                   https_proxy="http://127.0.0.1:9")
        argv = [str(self.venv / "bin" / argv[0]), *argv[1:]]
        done = subprocess.run(argv, cwd=self.folder.name, env=env, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def installed(self):
        return pathlib.Path(self.run_in("python", "-W", "error", "-c", PROBE).strip())

    def test_wheel(self):
        self.run_in("pip", "install", "--no-index", str(self.source))
        self.assertIn(str(self.venv), str(self.installed()))
        self.run_in("python", "-m", "pip", "check")
        self.run_in("sealstream-verify", "--help")
        site = pathlib.Path(sysconfig.get_path("purelib", "posix_prefix", {"base": str(self.venv)}))
        self.assertFalse([path.name for path in site.glob("test_*")], "tests are installed")
        self.run_in("python", "-W", "error", "-m", "compileall", "-q", str(self.installed().parent))
        self.run_in("pip", "uninstall", "-y", "sealstream")
        self.assertFalse(list(site.glob("sealstream*")))

    def test_editable(self):
        self.run_in("pip", "install", "--no-index", "-e", str(self.source))
        self.assertEqual(self.installed().parents[1], self.source)
        self.run_in("pip", "uninstall", "-y", "sealstream")

    def test_source_distribution(self):
        """It builds the same wheel as this folder, byte for byte."""
        build = "import sys; sys.path.insert(0, 'build_backend'); import wheel_builder as b; print(b.build_%s(sys.argv[1]))"

        def built(kind, source):
            out = tempfile.mkdtemp(dir=self.folder.name)
            done = subprocess.run([sys.executable, "-c", build % kind, out], cwd=source, check=True, capture_output=True, text=True)
            return pathlib.Path(out, done.stdout.strip())

        unpacked = tempfile.mkdtemp(dir=self.folder.name)
        sdist = built("sdist", self.source)
        with tarfile.open(sdist) as tar:
            for member in tar.getmembers():
                self.assertTrue(member.isfile() and member.name.startswith("sealstream-"), member.name)
            tar.extractall(unpacked)
        inside = next(pathlib.Path(unpacked).iterdir())
        self.assertEqual(built("wheel", inside).read_bytes(), built("wheel", self.source).read_bytes())
        self.run_in("pip", "install", "--no-index", str(sdist))
        self.run_in("pip", "uninstall", "-y", "sealstream")


if __name__ == "__main__":
    unittest.main()
