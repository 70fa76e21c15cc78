# SPDX-License-Identifier: GPL-3.0-or-later
# lava.py FOLDER FILE: the lines of FILE through LAVA's own code, taken out of Debian's lava-dispatcher unpacked in FOLDER: its pattern for
# signals, and what it makes of test cases and test sets. Of the program only these functions are wanted, so its imports are not needed.
# Prints a line for each result.
import ast, decimal, re, sys, types

top = sys.argv[1] + "/usr/lib/python3/dist-packages/lava_dispatcher/"
wanted = {}


class JobError(Exception):
    pass


class TestError(Exception):
    pass


wanted.update(decimal=decimal, nottest=lambda f: f, InternalObject=object, JobError=JobError, TestError=TestError)
for path, names in ("connection.py", ("SignalMatch",)), ("actions/test/shell.py", ("handle_testcase", "signal_test_case", "signal_test_set")):
    source = open(top + path).read()
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and n.name in names]
    assert sorted(n.name for n in found) == sorted(names), (path, names)
    exec(compile(ast.Module(found, []), path, "exec"), wanted)
    pattern = re.search(r'"signal": r"([^"]+)"', source)

errors = []
log = types.SimpleNamespace(error=errors.append, info=lambda *a: None, results=lambda r: print(r.get("set"), r["case"], r["result"],
                            r.get("measurement"), r.get("units")))
action = types.SimpleNamespace(logger=log, signal_director=types.SimpleNamespace(test_uuid="1"), signal_match=wanted["SignalMatch"](),
                               pattern=types.SimpleNamespace(fixupdict=lambda: {}), definition="wring", testset_name=None, report={})
signal = re.compile(pattern.group(1))
for line in open(sys.argv[2]):
    m = signal.search(line)
    assert m and m.group(0) == line.rstrip("\n"), "no signal: " + line
    name, params = m.group(1), m.group(2).split()
    {"TESTCASE": wanted["signal_test_case"], "TESTSET": wanted["signal_test_set"]}[name](action, params)
assert not errors, errors
