"""Credentials and the clear."""
import tempfile
import unittest

import sealstream


class ClearTest(unittest.TestCase):
    def test_credentials_go_over_https_or_to_the_loopback(self):
        token = {"Authorization": "Bearer s3cret"}
        for server, headers, options, ok in (
                ("http://log.example.com", {}, {}, True),
                ("http://log.example.com", {"X-Tenant": "a"}, {}, True),
                ("http://log.example.com", token, {}, False),
                ("http://log.example.com", {"x-api-key": "s3cret"}, {}, False),
                ("http://log.example.com", {"Cookie": "s3cret"}, {}, False),
                ("http://10.0.0.1:8420", token, {}, False),
                ("http://127.0.0.1.example.com", token, {}, False),
                ("http://log.example.com", token, {"allow_http": True}, True),
                ("https://log.example.com", token, {}, True),
                ("http://127.0.0.1:1", token, {}, True),
                ("http://[::1]:1", token, {}, True),
                ("http://localhost:1", token, {}, True),
                ("http://log.example.com", {}, {"token": "s3cret"}, False),
                ("https://log.example.com", {}, {"token": "s3cret"}, True),
                ("https://log.example.com", {}, {"token": "s3cret\nX: y"}, False),
                ("https://log.example.com", token, {"token": "s3cret"}, False),
                ("http://127.0.0.1:1", {}, {"token": "s3cret"}, True),
                ("s3cret@log.example.com", token, {}, False)):
            with self.subTest(server=server, headers=headers), tempfile.TemporaryDirectory() as spool:
                if ok:
                    sealstream.Client(server, spool, headers=headers, **options).close(0)
                    continue
                with self.assertRaises(ValueError) as caught:
                    sealstream.Client(server, spool, headers=headers, **options)
                self.assertNotIn("s3cret", str(caught.exception))

    def test_a_token_is_a_header(self):
        with tempfile.TemporaryDirectory() as spool:
            client = sealstream.Client("https://log.example.com", spool, token="s3cret")
            self.assertEqual(client.api._headers, {"Authorization": "Bearer s3cret"})
            client.close(0)


if __name__ == "__main__":
    unittest.main()
