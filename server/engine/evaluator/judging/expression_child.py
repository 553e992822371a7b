"""Evaluates expressions in a process of its own, which may be killed at any time.

Run as a file (`python -I expression_child.py MEGABYTES SECONDS`): standard input is one line of JSON with the
data and a list of expressions; each gives one line of JSON with its value, or with what is wrong.
"""

import contextlib
import json
import math
import resource
import sys

from cel_expr_python import cel

MAX_TEXT = 4_000


def main() -> None:
    """Read what is to be done, and do it within the limits."""
    megabytes, seconds = int(sys.argv[1]), int(sys.argv[2])
    with contextlib.suppress(ValueError, OSError):  # macOS cannot bound memory so
        resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work = json.load(sys.stdin)
    environment = cel.NewEnv(variables={"data": cel.Type.DYN})
    for code in work["expressions"]:
        spent = resource.getrusage(resource.RUSAGE_SELF)
        until = math.ceil(spent.ru_utime + spent.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
        sys.stdout.write(json.dumps(evaluated(environment, code, work["data"])) + "\n")
        sys.stdout.flush()


def evaluated(environment: cel.Env, code: str, data: object) -> dict[str, object]:
    """Return the value of an expression, or the error."""
    try:
        value = environment.compile(code).eval(data={"data": data})
        kind = value.type()
        # value() of a null takes a reference to None that is not its own; enough of them end the process
        plain = None if kind == cel.Type.NULL else value.value()
    except MemoryError:
        return {"error": "it needs too much memory"}
    except (RuntimeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        return {"error": str(error)[:MAX_TEXT]}
    if kind == cel.Type.ERROR:
        return {"error": str(plain)[:MAX_TEXT]}
    if isinstance(plain, str):
        return {"value": plain} if len(plain) <= MAX_TEXT else {"error": "its text is too long"}
    if not isinstance(plain, bool | int | float) or not math.isfinite(plain):
        return {"error": f"it gives {kind.name()}, not a truth value, a finite number or a text"}
    return {"value": plain}


if __name__ == "__main__":
    main()
