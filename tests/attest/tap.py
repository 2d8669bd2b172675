"""Test Anything Protocol for the Python parts of the tests."""
import json
import subprocess
import sys

_count = 0
_failed = 0


def ok(good, name, detail=""):
    global _count, _failed
    _count += 1
    print("%sok %d - %s" % ("" if good else "not ", _count, name))
    if not good:
        _failed += 1
        for line in str(detail).splitlines():
            print("# " + line)
    sys.stdout.flush()
    return good


def equal(got, want, name):
    return ok(got == want, name, "got  %r\nwant %r" % (got, want))


def done():
    print("1..%d" % _count)
    sys.exit(_failed != 0)


def run(*args, stdin=None, env=None):
    """(exit code, standard output, standard error) of a command."""
    p = subprocess.run([str(a) for a in args], input=stdin, capture_output=True, check=False, env=env)
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def run_json(*args, **kw):
    code, out, err = run(*args, **kw)
    try:
        return code, json.loads(out)
    except ValueError:
        return code, {"not JSON": out, "stderr": err}
