"""`config validate` and `config show`: all that is wrong, said at once, and the file as it is understood."""
import json
import os

import harness


class Config(harness.Case):
    needs_sandbox = False

    def file(self, text, name="fly.toml"):
        return os.path.join(self.stage.project({name: text}), name)

    def validate(self, text, code):
        path = self.file(text)
        done = self.stage.flylocal("config", "validate", os.path.dirname(path))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def problems(self, text, code=1):
        done = self.stage.flylocal("config", "validate", "--json", os.path.dirname(self.file(text)))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        report = json.loads(done.stdout)
        self.assertEqual(report["valid"], code == 0)
        return report["problems"]

    def show(self, text):
        done = self.stage.flylocal("config", "show", os.path.dirname(self.file(text)))
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    # ---- validate

    def test_every_example_is_valid(self):
        found = [directory for directory, _, files in os.walk(self.stage.example("")) if "fly.toml" in files]
        self.assertGreaterEqual(len(found), 10)
        for directory in found:
            done = self.stage.flylocal("config", "validate", directory)
            if os.path.basename(directory) == "cpp":
                continue  # its program has to be built before it can be found
            self.assertEqual(done.returncode, 0, f"{directory}: {done.stderr}")
            self.assertIn("is valid", done.stdout)

    def test_an_error_names_file_line_column_key_found_and_allowed(self):
        done = self.validate('app = "x"\n[http_service]\n  internal_port = "eight"\n', 1)
        self.assertIn('fly.toml:3:19: error: http_service.internal_port: found "eight", allowed: a port from 1 to 65535', done.stderr)

    def test_all_errors_are_said_at_once(self):
        found = self.problems('app = 5\nkill_timeout = "soon"\n[http_service]\n  internal_port = 70000\n')
        self.assertEqual([p["key"] for p in found if p["severity"] == "error"], ["app", "kill_timeout", "http_service.internal_port"])

    def test_a_typo_is_told_the_closest_key(self):
        done = self.validate('app = "x"\nprimary_regon = "ams"\n[processes]\n  app = "sleep 1"\n', 0)
        self.assertIn("primary_regon", done.stderr)
        self.assertIn('Did you mean "primary_region"?', done.stderr)

    def test_an_unknown_process_group_of_a_service_is_an_error(self):
        found = self.problems('app = "x"\n[processes]\n  web = "sleep 1"\n[http_service]\n  internal_port = 80\n  processes = ["wbe"]\n')
        text = json.dumps(found)
        self.assertIn("wbe", text)
        self.assertIn("web", text)

    def test_broken_toml_names_the_place(self):
        done = self.validate('app = "x"\n[http_service\n', 1)
        self.assertIn("fly.toml:2:", done.stderr)

    def test_a_missing_file_is_named(self):
        done = self.stage.flylocal("config", "validate", self.stage.make_directory("empty"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("fly.toml", done.stderr)

    def test_what_is_no_text_is_an_error_and_no_crash(self):
        for content in (b"\0" * 100, b"\xff\xfe\x00a\x00", os.urandom(5000), b"[" * 100000, b"a = " + b"[" * 50000, b""):
            directory = self.stage.project({"fly.toml": content})
            done = self.stage.flylocal("config", "validate", directory)
            self.assertEqual(done.returncode, 1, f"{content[:20]!r}: {done}")
            self.assertTrue(done.stderr)

    def test_a_directory_or_an_unreadable_file_is_an_error(self):
        directory = self.stage.make_directory("odd/fly.toml")
        done = self.stage.flylocal("config", "validate", os.path.dirname(directory))
        self.assertEqual(done.returncode, 1)
        self.assertIn("fly.toml", done.stderr)

    def test_another_file_can_be_named(self):
        path = self.file('app = "other"\nprimary_region = "ams"\n[processes]\n  app = "sleep 1"\n', "fly.staging.toml")
        self.assert_ok(self.stage.flylocal("config", "validate", "-c", path, os.path.dirname(path)))
        shown = self.assert_ok(self.stage.flylocal("config", "show", "-c", path))
        self.assertEqual(json.loads(shown.stdout)["app"], "other")

    def test_flylocal_toml_is_checked_as_well(self):
        directory = self.stage.project({"fly.toml": 'app = "x"\nprimary_region = "ams"\n[processes]\n  app = "sleep 1"\n',
                                        "flylocal.toml": "netwrok = 'x'\n"})
        done = self.stage.flylocal("config", "validate", directory)
        self.assertEqual(done.returncode, 1)
        self.assertIn("flylocal.toml:1:", done.stderr)
        self.assertIn("network", done.stderr)

    def test_up_and_check_refuse_the_same(self):
        directory = self.stage.project({"fly.toml": 'app = "x"\n[http_service]\n  internal_port = "eight"\n'})
        for command in ("up", "check"):
            done = self.stage.flylocal(command, directory)
            self.assertEqual(done.returncode, 2)
            self.assertIn("http_service.internal_port", done.stderr)

    def test_what_up_would_note_is_said_by_validate_too(self):
        directory = self.stage.project({"fly.toml": 'app = "x"\n[deploy]\n  release_command = "migrate"\n',
                                        "Dockerfile": "FROM debian\nCMD ['sleep', '1']\n"})
        done = self.assert_ok(self.stage.flylocal("config", "validate", directory))
        for part in ("release_command is not run", "looks like the exec form"):
            self.assertEqual(done.stderr.count(part), 1, done.stderr)
        notices = json.loads(self.stage.flylocal("config", "validate", "--json", directory).stdout)["problems"]
        self.assertTrue(any("release_command is not run" in one["message"] for one in notices), notices)

    def test_the_ways_to_say_what_runs_stand_in_lines(self):
        directory = self.stage.project({"fly.toml": 'app = "x"\n'})
        for command in (("up",), ("config", "validate")):
            errors = self.stage.flylocal(*command, directory).stderr
            self.assertIn("\n  in fly.toml:", errors)
            self.assertIn("\n  in the Dockerfile:", errors)

    # ---- show

    def test_show_prints_the_model_with_the_defaults_that_apply(self):
        shown = self.show('app = "x"\nprimary_region = "ams"\n[http_service]\n  internal_port = 3000\n')
        self.assertEqual((shown["app"], shown["primary_region"], shown["kill_signal"], shown["kill_timeout"]), ("x", "ams", "SIGINT", "5s"))
        self.assertEqual(shown["http_service"]["internal_port"], 3000)
        self.assertEqual(shown["http_service"]["concurrency"]["soft_limit"], 20)

    def test_old_shapes_are_shown_in_their_present_form(self):
        shown = self.show('app = "x"\nkill_timeout = 30\n[mounts]\n  source = "data"\n  destination = "/data"\n'
                          '[[services]]\n  internal_port = "8080"\n  protocol = "tcp"\n  concurrency = "10,20"\n  auto_stop_machines = true\n'
                          '  [[services.ports]]\n    port = "80"\n    handlers = ["http"]\n'
                          '  [[services.tcp_checks]]\n    interval = 10000\n')
        self.assertEqual(shown["kill_timeout"], "30s")
        self.assertEqual(shown["mounts"][0]["destination"], "/data")
        service = shown["services"][0]
        self.assertEqual(service["internal_port"], 8080)
        self.assertEqual(service["ports"][0]["port"], 80)
        self.assertEqual((service["concurrency"]["soft_limit"], service["concurrency"]["hard_limit"]), (10, 20))
        self.assertEqual(service["auto_stop_machines"], "stop")
        self.assertEqual(service["tcp_checks"][0]["interval"], "10s")

    def test_env_values_become_text(self):
        self.assertEqual(self.show('app = "x"\n[env]\n  A = 1\n  B = true\n  C = "c"\n')["env"], {"A": "1", "B": "true", "C": "c"})

    def test_what_show_prints_of_an_invalid_file_is_the_error_alone(self):
        done = self.stage.flylocal("config", "show", os.path.dirname(self.file("app = [")))
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("fly.toml:1:", done.stderr)


if __name__ == "__main__":
    harness.main()
