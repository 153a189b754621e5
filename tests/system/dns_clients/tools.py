"""The programs that people ask with: `tools.py dig ...`. Arguments and output: ../test_dns_clients.py"""
import re
import subprocess
import sys

TYPES = {"6": "AAAA", "4": "A", "txt": "TXT"}


def text_of(quoted):
    """The character-strings of a TXT record as these programs print them, put together."""
    return "".join(re.findall(r'"([^"]*)"', quoted))


def records(output):
    """Answers as in a zone file: owner, TTL, class, type, data."""
    found = []
    for line in output.splitlines():
        fields = line.split(None, 4)
        if not line.startswith(";") and len(fields) == 5 and fields[2] == "IN" and fields[3] in TYPES.values():
            found.append(text_of(fields[4]) if fields[3] == "TXT" else fields[4])
    return found


def zone_file(output):
    """dig, kdig and drill."""
    code = re.search(r"(?:status|rcode): (\w+)", output)
    if code is None:
        return "error " + output
    return {"NXDOMAIN": "nxdomain", "NOERROR": ",".join(records(output)) or "nodata"}.get(code[1], "error " + code[1])


def host(output):
    if "NXDOMAIN" in output:
        return "nxdomain"
    found = re.findall(r"has (?:IPv6 )?address (\S+)", output) + [text_of(text) for text in re.findall(r"descriptive text (.*)", output)]
    return ",".join(found) or ("nodata" if re.fullmatch(r"(\S+ has no \S+ record\n)?", output) else "error " + output)


def nslookup(output):
    """busybox's, which has no TCP: it is asked for no long text."""
    # What stands above the first empty line tells which server answered.
    head, _, answer = output.partition("\n\n")
    if not head.startswith("Server:"):
        return "error " + output
    if "NXDOMAIN" in answer:
        return "nxdomain"
    return ",".join(re.findall(r"^Address: (\S+)", answer, re.M)) or ("error " + output if "**" in answer else "nodata")


TOOLS = {
    "dig": (lambda kind, name: ["dig", name] + ([TYPES[kind]] if kind in TYPES else []), zone_file),
    "kdig": (lambda kind, name: ["kdig", name] + ([TYPES[kind]] if kind in TYPES else []), zone_file),
    "drill": (lambda kind, name: ["drill", "-a", name] + ([TYPES[kind]] if kind in TYPES else []), zone_file),
    "host": (lambda kind, name: ["host"] + (["-t", TYPES[kind]] if kind in TYPES else []) + [name], host),
    "nslookup": (lambda kind, name: ["busybox", "nslookup"] + (["-type=" + TYPES[kind].lower()] if kind in TYPES else []) + [name], nslookup),
}

command, answer_in = TOOLS[sys.argv[1]]
for asked, name in zip(sys.argv[2::2], sys.argv[3::2]):
    print(answer_in(subprocess.run(command(asked, name), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout))
