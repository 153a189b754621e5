"""Reads the bind report of `flylocal check --json`, for the tests of it."""
import json

SCHEMA = "flylocal.report/1"
SEVERITIES = ("ok", "note", "warning", "pending", "problem")
# Of a program that shall be found as it is now, not as it is three seconds later.
AT_ONCE = ("--settle", "0s")


def check(stage, *arguments, code, settle=AT_ONCE, **named):
    """The machines of a report that `check` ends with `code` for."""
    done = stage.flylocal("check", "--json", *settle, *arguments, **named)
    if done.returncode != code:
        raise AssertionError(f"exit code {done.returncode}, not {code}:\n{done.stdout}{done.stderr}")
    return machines_of(done.stdout, code == 0)


def machines_of(text, is_good):
    """The machines of a report in JSON, which says of itself whether it is good."""
    report = json.loads(text)
    if (report["schema"], report["ok"]) != (SCHEMA, is_good):
        raise AssertionError(f"schema {report['schema']}, ok {report['ok']}: {text}")
    return report["machines"]


def of_app(machines, app):
    """The report of an app's only machine."""
    found = [machine for machine in machines if machine["app"] == app]
    if len(found) != 1:
        raise AssertionError(f"one machine of {app} expected: {found}")
    return found[0]


def result(machine, path, port=8080, code=None):
    """The only result on this path to this port (of this code, where one is given) that is about the running machine."""
    found = [one for one in machine["results"]
             if (one["path"], one["port"]) == (path, port) and code in (None, one["code"]) and not one["target"].startswith("fly.toml")]
    if len(found) != 1:
        raise AssertionError(f"one result on {path} to {port} expected in {json.dumps(machine, indent=1)}")
    return found[0]


def of_file(machine):
    """Code -> severity of what fly.toml alone tells."""
    return {one["code"]: one["severity"] for one in machine["results"] if one["target"].startswith("fly.toml")}


def brief(one):
    return one["code"], one["severity"], one["reach"]


def worst(machine):
    """The machine's worst severity."""
    return max((one["severity"] for one in machine["results"]), key=SEVERITIES.index)


def tcp_service(port, external, handlers="", checks=""):
    """A TCP service of fly.toml; `handlers`: the inside of the list."""
    return (f'[[services]]\n  internal_port = {port}\n  protocol = "tcp"\n  processes = ["app"]\n'
            f'  [[services.ports]]\n    port = {external}\n    handlers = [{handlers}]\n{checks}')


def udp_service(port, external=None):
    return (f'[[services]]\n  internal_port = {port}\n  protocol = "udp"\n  processes = ["app"]\n'
            f'  [[services.ports]]\n    port = {external or port}\n')
