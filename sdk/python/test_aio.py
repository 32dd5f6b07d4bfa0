"""AsyncAuditLog against a real log."""
import asyncio
import threading
import unittest

import sealstream
from server import Case, setUpModule, tearDownModule, until  # noqa: F401: for unittest, too

AGENT = "did:web:agent.example.com"


def threads(name):
    return [one for one in threading.enumerate() if one.name.startswith(name)]


class Asyncio(Case):
    def run_with_audit(self, main):
        """Runs a coroutine function with an AsyncAuditLog. No thread is left then."""
        server = self.server()

        async def run():
            async with sealstream.AsyncAuditLog(
                    server=server.url, key=server.folder / "data" / "log.pub", state=None, spool=self.spool, sync=False) as audit:
                await main(audit)

        asyncio.run(run())
        until(lambda: not threads("sealstream"))

    def test_asyncio(self):
        async def main(audit):
            entries = await asyncio.gather(*(audit.log("tool_invocation", AGENT, "allow", "/r/%d" % n) for n in range(50)))
            self.assertEqual(sorted(entry.resource for entry in entries), sorted("/r/%d" % n for n in range(50)))
            self.assertEqual(len(await audit.query(limit=1000)), 50)
            task = asyncio.ensure_future(audit.log("tool_invocation", AGENT, "allow", "/cancelled"))
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            while not await audit.query(resource="/cancelled"):  # the event was not withdrawn
                await asyncio.sleep(0.01)
            with self.assertRaises(ValueError):
                await audit.log("tool_invocation", AGENT, "allow", data=object())
            self.assertEqual(await audit.verify_integrity(), (True, None))
            proof = await audit.get_proof(entries[0].entry_id)
            self.assertTrue(proof["verified"])
            self.assertEqual(len((await audit.export())["entries"]), 51)
            self.assertEqual(len(threads("sealstream-asyncio")), 1)

        self.run_with_audit(main)

    def test_follow(self):
        """What is there and what comes, beside other methods. Whoever follows has one thread."""
        async def main(audit):
            for n in range(3):
                await audit.log("tool_invocation", AGENT, "allow", "/r/%d" % n)
            found = []
            async for entry in audit.follow(1, agent_did=AGENT):
                found.append(entry.resource)
                if len(found) in (3, 4):
                    await audit.log("tool_invocation", AGENT, "allow", "/late/%d" % len(found))
                if len(found) == 5:
                    self.assertEqual(len(threads("sealstream-follow")), 1)
                    break
            self.assertEqual(found, ["/r/0", "/r/1", "/r/2", "/late/3", "/late/4"])
            with self.assertRaises(TypeError):
                await audit.follow(colour="red").__anext__()

        self.run_with_audit(main)

    def test_cancelled_follow(self):
        """Cancelling ends the stream and its thread, and nothing else."""
        async def main(audit):
            quiet = audit.follow()
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(quiet.__anext__(), 0.5)
            with self.assertRaises(StopAsyncIteration):
                await quiet.__anext__()
            while threads("sealstream-follow"):
                await asyncio.sleep(0.01)
            entry = await audit.log("tool_invocation", AGENT, "allow")
            self.assertEqual(entry.index, 1)

        self.run_with_audit(main)

    def test_cancelled_at_any_time(self):
        """Also while it connects, or has just been answered."""
        async def main(audit):
            await audit.log("tool_invocation", AGENT, "allow")
            for n in range(40):
                task = asyncio.ensure_future(self.take_all(audit.follow(0)))
                await asyncio.sleep(n / 4000)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
            while threads("sealstream-follow"):
                await asyncio.sleep(0.01)

        self.run_with_audit(main)

    @staticmethod
    async def take_all(entries):
        return [entry.index async for entry in entries]

    def test_close_ends_what_follows(self):
        async def main(audit):
            task = asyncio.ensure_future(self.take_all(audit.follow(0)))
            await audit.log("tool_invocation", AGENT, "allow")
            await asyncio.sleep(0.1)
            await audit.close()
            self.assertIn(await asyncio.wait_for(task, 10), ([], [0], [0, 1]))
            with self.assertRaises(ValueError):
                await audit.follow(0).__anext__()

        self.run_with_audit(main)


if __name__ == "__main__":
    unittest.main()
