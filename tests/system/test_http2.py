"""HTTP/2 in and out, as real clients speak it: curl, nghttp, h2load, httpx, and gRPC in both directions."""
import importlib.util
import json
import os
import queue
import re
import shutil
import unittest

import harness

LARGE = 8 * 1024 * 1024


def need_program(name):
    path = shutil.which(name)
    if not path:
        raise unittest.SkipTest(f"{name} is not installed")
    return path


def need_module(name):
    if not importlib.util.find_spec(name):
        raise unittest.SkipTest(f"Python's {name} is not installed")
    return importlib.import_module(name)


@harness.shared_as_root_and_user
class Http2In:
    """Clients that know that they may speak HTTP/2 without TLS (RFC 9113 3.3), to an app that speaks HTTP/1.1."""

    @classmethod
    def prepare(cls):
        cls.up = cls.stage.up(cls.stage.app("two"))
        cls.up.wait_until_listening()
        cls.url = f"http://127.0.0.1:{cls.up.host_port()}"

    def curl(self, *words):
        done = self.stage.run(need_program("curl"), "-sS", "--http2-prior-knowledge", *words)
        return self.assert_ok(done).stdout

    def test_curl_gets_an_answer_in_http2(self):
        shown = self.curl("-w", "\n%{http_version} %{http_code}", self.url + "/")
        body, _, told = shown.rpartition("\n")
        self.assertEqual(told, "2 200")
        names = {name.lower() for name, _ in json.loads(body)["headers"]}
        self.assertIn("fly-client-ip", names)
        self.assertIn("host", names)

    def test_curl_sends_and_gets_large_bodies(self):
        sent, back = (os.path.join(self.stage.directory, name) for name in ("large", "back"))
        body = os.urandom(LARGE)
        with open(sent, "wb") as file:
            file.write(body)
        self.stage.account.own(sent)
        self.curl("--data-binary", f"@{sent}", "-o", back, self.url + "/")
        with open(back, "rb") as file:
            self.assertTrue(file.read() == body, "the app echoes what it gets")

    def test_nghttp_loads_several_pages_on_one_connection(self):
        done = self.stage.run(need_program("nghttp"), "-nv", *[f"{self.url}/?{i}" for i in range(5)])
        self.assert_ok(done)
        self.assertEqual(len(re.findall(r":status: 200", done.stdout)), 5, done.stdout)

    def test_h2load_loses_nothing(self):
        # No more at once than the app's backlog takes.
        done = self.stage.run(need_program("h2load"), "-n", "4000", "-c", "15", "-m", "4", self.url + "/", timeout=300)
        self.assert_ok(done)
        self.assertIn("4000 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout)
        self.assertIn("status codes: 4000 2xx", done.stdout)

    def test_httpx_multiplexes(self):
        httpx = need_module("httpx")
        need_module("h2")
        with httpx.Client(http1=False, http2=True, timeout=harness.PATIENCE) as client:
            for i in range(20):
                answer = client.get(f"{self.url}/?{i}", headers={"cookie": "a=1; b=2"})
                self.assertEqual(answer.status_code, 200)
                self.assertEqual(answer.http_version, "HTTP/2")
                fields = dict((k.lower(), v) for k, v in answer.json()["headers"])
                self.assertEqual(fields["cookie"], "a=1; b=2")

    def test_http1_goes_on_beside_it(self):
        self.assertEqual(self.up.get().status, 200)


@harness.shared_as_root_and_user
class Grpc:
    """A gRPC app behind h2_backend, and a gRPC client on the published port."""

    @classmethod
    def prepare(cls):
        cls.grpc = need_module("grpc")
        cls.up = cls.stage.up(cls.stage.app(
            "shapes", program="grpc_app.py", arguments="8080",
            toml="[http_service.http_options]\n  h2_backend = true\n"))
        cls.channel = cls.grpc.insecure_channel(f"127.0.0.1:{cls.up.host_port()}")
        cls.stage.callback(cls.channel.close)

    def call(self, kind, name):
        return getattr(self.channel, kind)(f"/test.Shapes/{name}")

    def test_unary(self):
        answer, call = self.call("unary_unary", "Unary").with_call(b"hello", timeout=harness.PATIENCE)
        self.assertEqual(answer, b"<hello>")
        self.assertEqual(dict(call.initial_metadata())["x-first"], "1")
        self.assertEqual(dict(call.trailing_metadata())["x-region"], "ams")

    def test_an_error_comes_with_its_status_message_and_metadata(self):
        with self.assertRaises(self.grpc.RpcError) as raised:
            self.call("unary_unary", "Unary")(b"fail", timeout=harness.PATIENCE)
        self.assertEqual(raised.exception.code(), self.grpc.StatusCode.FAILED_PRECONDITION)
        self.assertEqual(raised.exception.details(), "as told")
        self.assertEqual(dict(raised.exception.trailing_metadata())["x-why"], "told to")

    def test_an_unknown_method_is_unimplemented(self):
        with self.assertRaises(self.grpc.RpcError) as raised:
            self.call("unary_unary", "Nothing")(b"", timeout=harness.PATIENCE)
        self.assertEqual(raised.exception.code(), self.grpc.StatusCode.UNIMPLEMENTED)

    def test_server_streaming(self):
        numbers = list(self.call("unary_stream", "CountDown")(b"1000", timeout=harness.PATIENCE))
        self.assertEqual(numbers, [b"%d" % number for number in range(1000, 0, -1)])

    def test_client_streaming(self):
        pieces = (b"x" * 100000 for _ in range(50))
        self.assertEqual(self.call("stream_unary", "Total")(pieces, timeout=harness.PATIENCE), b"5000000")

    def test_bidirectional_streaming_is_not_buffered(self):
        to_send = queue.Queue()
        answers = self.call("stream_stream", "Talk")(iter(to_send.get, None), timeout=harness.PATIENCE)
        for i in range(20):
            to_send.put(b"%d" % i)
            # Comes before the next message is sent.
            self.assertEqual(next(answers), b"<%d>" % i)
        to_send.put(None)
        self.assertEqual(list(answers), [])

    def test_many_calls_at_once(self):
        unary = self.call("unary_unary", "Unary")
        calls = [unary.future(b"%d" % i, timeout=harness.PATIENCE) for i in range(500)]
        self.assertEqual([call.result() for call in calls], [b"<%d>" % i for i in range(500)])


@harness.as_root_and_user
class NotHttp2:
    def test_an_app_that_does_not_speak_http2_is_told_so(self):
        up = self.stage.up(self.stage.app("old", toml="[http_service.http_options]\n  h2_backend = true\n"))
        answer = harness.eventually(lambda: (got := up.get()).status == 502 and got, "a 502")
        self.assertIn("PU01", answer.text)


if __name__ == "__main__":
    harness.run_with_modules("grpc", "httpx", "h2")
    harness.main()
