"""Scripts that are written against the agent-governance-toolkit's AuditLog run with only their imports changed."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

from server import Case, command, setUpModule, tearDownModule  # noqa: F401: the last two are for unittest

HERE = pathlib.Path(__file__).resolve().parent
PROMISED = {  # what a script prints
    "quickstart.py": "[0-9a-f-]{36}\n[0-9a-f]{64}\n20.*\\+00:00\nchain intact\n",
    "chain.py": "chain valid: True\nroot: [0-9a-f]{64}\nin the log: True\n",
    "report.py": "True {'success': 1, 'denied': 1}\n\\(True, None\\)\n",
}
MODULES = re.compile(r"^from (?:agentmesh|agent_compliance)\.[a-z_.]+ import", re.MULTILINE)


def pythons():
    """The Pythons that are here, this one first."""
    names = ["python3.%d" % minor for minor in range(9, 15)]
    found = [shutil.which(name) for name in names]
    return [sys.executable] + [path for path in found if path and works(path)]


def works(path):
    done = subprocess.run([path, "-c", "import ssl, sys; print(sys.version_info[:2])"], capture_output=True, text=True)
    return done.returncode == 0 and done.stdout != "%s\n" % (sys.version_info[:2],)


class Toolkit(Case):
    def test_scripts(self):
        scripts = sorted((HERE / "toolkit").glob("*.py"))
        self.assertEqual({path.name for path in scripts}, set(PROMISED))
        for python in pythons():
            for path in scripts:
                with self.subTest(python=python, script=path.name):
                    self.run_script(python, path)

    def run_script(self, python, path):
        folder = self.folder / ("%s-%s" % (pathlib.Path(python).name, path.stem))
        folder.mkdir()
        self.folder, before = folder, self.folder
        server = self.server()
        self.folder = before
        text, changed = MODULES.subn("from sealstream import", path.read_text())
        self.assertEqual(changed, text.count("from sealstream import"))
        self.assertNotIn("agentmesh", text)
        env = dict(os.environ, PYTHONPATH=str(HERE), SEALSTREAM_SERVER=server.url, SEALSTREAM_KEY=str(server.folder / "data" / "log.pub"),
                   PATH="%s:%s" % (pathlib.Path(command()).parent, os.environ["PATH"]))
        done = subprocess.run([python, "-W", "error", "-c", text], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
        server.kill()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, "^%s$" % PROMISED[path.name])


if __name__ == "__main__":
    unittest.main()
