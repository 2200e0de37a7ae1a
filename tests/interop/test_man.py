#!/usr/bin/env python3
"""The manual says what the program says: every command, option and configuration key, no more and no less, with its default."""
import os, re, subprocess
import harness
from harness import TANDEM, TOP, check, tandem

PAGE = os.path.join(TOP, "man", "tandem.1")


def plain(text):
    return re.sub(r"\\f.", "", text).replace("\\-", "-").replace("\\e", "\\").replace('"', "")


def section(name, kind="SS"):
    """the source of one section, without its heading"""
    m = re.search(r"^\.%s %s$(.*?)(?=^\.S[HS]|\Z)" % (kind, name), open(PAGE).read(), re.M | re.S)
    check(m, "the manual has no section %s", name)
    return m.group(1)


def tags(text):
    """[(tag, paragraph)] of all .TP"""
    parts = re.split(r"^\.TP\n", text, flags=re.M)[1:]
    return [(plain(p.split("\n")[0]).split(" ", 1)[-1], plain(p)) for p in parts]


def options(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text))


def commands(place):
    return re.findall(r"^  tandem (\w+)", tandem(place).stdout, re.M)


def it_renders_without_warnings(place):
    r = subprocess.run(["groff", "-man", "-Tutf8", "-ww", PAGE], capture_output=True, text=True)
    check(r.returncode == 0 and not r.stderr, "groff says: %s", r.stderr)
    check(len(r.stdout.splitlines()) > 100, "it has %d lines", len(r.stdout.splitlines()))


def every_option_is_in_both(place):
    for command in commands(place):
        said = set().union(*(options(l) for l in re.findall(r"^  (-.*?)(?:  .*)?$", tandem(place, command, "--help").stdout, re.M)))
        written = set().union(*(options(tag) for tag, _ in tags(section(command))))
        check(said == written, "%s: --help alone has %s, the manual alone has %s", command, sorted(said - written), sorted(written - said))


def every_command_is_in_the_synopsis(place):
    synopsis = plain(section("SYNOPSIS", "SH"))
    for command in commands(place):
        check(re.search(r"[ |]%s\b" % command, synopsis), "the synopsis does not name %s", command)
    for word in re.search(r"usage: tandem user (\S+)", tandem(place, "user", "--help").stdout).group(1).split("|"):
        check(re.search(r"[ |]%s\b" % word, synopsis), "the synopsis does not name user %s", word)


def every_key_is_described_with_its_default(place):
    place.write("tandem.yaml", "domains:\n  - name: example.test\nstate: ./state\n")
    effective = tandem(place, "serve", "--check", "--effective").stdout
    keys = dict(re.findall(r"^ *(?:- )?([a-z_]+):(?: (.*))?$", effective, re.M))
    written = {tag: text for tag, text in tags(section("CONFIGURATION", "SH"))}
    here = set(written) | {"name"}            # in the text of domains
    # some are printed only when they are said, so those there are come from the table the file is read by
    with open(os.path.join(TOP, "src", "server", "config", "schema.c")) as f:
        known = set(re.findall(r'\b(?:TEXT|NUMBER|CYAML_FIELD_\w+)\("(\w+)"', f.read()))
    check(known == here, "the program alone has %s, the manual alone has %s", sorted(known - here), sorted(here - known))
    check(set(keys) <= known, "printed, but not known: %s", sorted(set(keys) - known))
    for key, value in keys.items():
        if re.fullmatch(r"\d+s?", value) and key != "workers":
            check("Default: %s" % value in written[key], "%s is %s, the manual says: %s", key, value, written[key])


def the_exit_statuses_are_those_of_the_help(place):
    said = re.findall(r"(\d) \w", re.search(r"exit status: (.*)", tandem(place, "ping", "--help").stdout).group(1))
    written = [tag for tag, _ in tags(section("EXIT STATUS", "SH"))]
    check(said == written, "--help has %s, the manual %s", said, written)


if __name__ == "__main__":
    harness.run(it_renders_without_warnings, every_command_is_in_the_synopsis, every_option_is_in_both,
                every_key_is_described_with_its_default, the_exit_statuses_are_those_of_the_help)
