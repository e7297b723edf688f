"""How values travel through one handler: strings, containers, branches, loops, closures."""

from __future__ import annotations

import pytest
from flowing import reaches

from backendlint.project.taint.naming import sensitive

TAINTED = {
    "plain": 'os.system(request.args["a"])',
    "f-string": 'os.system(f"ls {request.args[0]}")',
    "percent": 'os.system("ls %s" % request.args["a"])',
    "format": 'os.system("ls {}".format(request.args["a"]))',
    "named format": 'os.system("ls {x}".format(x=request.args["a"]))',
    "join": 'os.system(" ".join(["ls", request.args["a"]]))',
    "augmented": 'text = "ls "\ntext += request.args["a"]\nos.system(text)',
    "list element": 'parts = ["ls", request.args["a"]]\nos.system(parts[1])',
    "last element": 'parts = ["ls", request.args["a"]]\nos.system(parts[-1])',
    "append": 'parts = ["ls"]\nparts.append(request.args["a"])\nos.system(" ".join(parts))',
    "dict value": 'd = {"x": request.args["a"], "y": "ls"}\nos.system(d["x"])',
    "dict store": 'd = {}\nd["x"] = request.args["a"]\nos.system(d["x"])',
    "dict get": 'd = {"x": request.args["a"]}\nos.system(d.get("x", "ls"))',
    "unknown key": 'd = {"x": request.args["a"]}\nos.system(d[os.name])',
    "unpacking": 'a, b = "ls", request.args["a"]\nos.system(b)',
    "starred": 'a, *b = "ls", request.args["a"]\nos.system(b[0])',
    "comprehension": 'os.system(" ".join([x.strip() for x in request.args.getlist("a")]))',
    "dict comprehension": 'd = {k: request.args[k] for k in ("a", "b")}\nos.system(d["a"])',
    "generator": 'os.system(" ".join(x for x in request.args.values()))',
    "for": 'for x in request.args.getlist("a"):\n    os.system(x)',
    "while": 'x = "ls"\nwhile os.name:\n    os.system(x)\n    x = request.args["a"]',
    "branch": 'x = "ls"\nif os.name == "nt":\n    x = request.args["a"]\nos.system(x)',
    "ternary": 'os.system(request.args["a"] if os.name == "nt" else "ls")',
    "or": 'os.system(request.args.get("a") or "ls")',
    "walrus": 'if (x := request.args["a"]):\n    os.system(x)',
    "match": 'match os.name:\n    case "nt":\n        x = request.args["a"]\n    case _:\n        x = "ls"\nos.system(x)',
    "match capture": 'match request.args["a"]:\n    case x:\n        os.system(x)',
    "try": 'try:\n    x = request.args["a"]\nexcept KeyError:\n    x = "ls"\nos.system(x)',
    "finally": 'x = request.args["a"]\ntry:\n    pass\nfinally:\n    os.system(x)',
    "lambda": 'f = lambda: request.args["a"]\nos.system(f())',
    "closure": 'x = request.args["a"]\ndef inner():\n    os.system(x)\ninner()',
    "slice": 'os.system(request.args["a"][1:])',
    "method": 'os.system(request.args["a"].strip().lower())',
    "encoded and back": 'import base64\nos.system(base64.b64decode(base64.b64encode(request.args["a"].encode())))',
    "json": 'import json\nos.system(json.loads(request.data)["x"])',
    "html escape is no shell escape": 'import html\nos.system(html.escape(request.args["a"]))',
    "alias": 'run = os.system\nrun(request.args["a"])',
    "keyword": 'subprocess.run(args=request.args["a"], shell=True)',
    "value of items": 'for k, v in {"x": request.args["a"]}.items():\n    os.system(v)',
    "key of items": 'for k, v in {request.args["a"]: "x"}.items():\n    os.system(k)',
    "key of a request": "for k in request.args.keys():\n    os.system(k)",
    "stored key": 'd = {}\nd[request.args["a"]] = 1\nfor k in d:\n    os.system(k)',
    "zipped": 'for a, b in zip(["ls"], request.args.getlist("a")):\n    os.system(b)',
    "enumerated": 'for number, b in enumerate(request.args.getlist("a")):\n    os.system(b)',
    "sorted values": 'for v in sorted({"x": request.args["a"]}.values()):\n    os.system(v)',
    "dict of keywords": 'd = dict([], x=request.args["a"])\nos.system(d["x"])',
    "one of many arguments": 'def f(*args):\n    os.system(args[1])\nf("ls", request.args["a"])',
    "later arguments": 'def f(*args):\n    os.system(args[1:][0])\nf("ls", request.args["a"])',
    "one of many keywords": 'def f(**kw):\n    os.system(kw["x"])\nf(y="ls", x=request.args["a"])',
    "forwarded keywords": 'def f(**kw):\n    os.system(kw["x"])\ndef g(**kw):\n    f(**kw)\ng(y="ls", x=request.args["a"])',
    "any keyword": 'def f(**kw):\n    for v in kw.values():\n        os.system(v)\nf(y="ls", x=request.args["a"])',
    "text times number": 'os.system(request.args["a"] * 2)',
}
CLEAN = {
    "key of a display": 'for k, v in {"x": request.args["a"]}.items():\n    os.system(k)',
    "value of a display": 'for k, v in {request.args["a"]: "x"}.items():\n    os.system(v)',
    "iterated display": 'for k in {"x": request.args["a"]}:\n    os.system(k)',
    "sorted keys": 'os.system(sorted({"x": request.args["a"]})[0])',
    "other of zip": 'for a, b in zip(["ls"], request.args.getlist("a")):\n    os.system(a)',
    "number of enumerate": 'for number, b in enumerate(request.args.getlist("a")):\n    os.system(str(number))',
    "other of many arguments": 'def f(*args):\n    os.system(args[0])\nf("ls", request.args["a"])',
    "other of many keywords": 'def f(**kw):\n    os.system(kw["y"])\nf(y="ls", x=request.args["a"])',
    "names of keywords": 'def f(**kw):\n    for k in kw:\n        os.system(k)\nf(y="ls", x=request.args["a"])',
    "sum": 'x = 0.5\nfor y in request.json["sizes"]:\n    x += y\nos.system(f"ls {x}")',
    "empty": 'x = request.args["a"]\nif not x:\n    os.system(f"ls {x}")',
    "constant": 'os.system("ls")',
    "overwritten": 'x = request.args["a"]\nx = "ls"\nos.system(x)',
    "other element": 'parts = ["ls", request.args["a"]]\nos.system(parts[0])',
    "popped": 'parts = [request.args["a"], "ls"]\nparts.pop(0)\nos.system(parts[0])',
    "other key": 'd = {"x": request.args["a"], "y": "ls"}\nos.system(d["y"])',
    "overwritten key": 'd = {"x": request.args["a"]}\nd["x"] = "ls"\nos.system(d["x"])',
    "other unpacked": 'a, b = "ls", request.args["a"]\nos.system(a)',
    "number": 'os.system(f"ls {int(request.args[0])}")',
    "number format": 'os.system("ls %d" % request.args["a"])',
    "length": 'os.system("ls " + str(len(request.args["a"])))',
    "comparison": 'os.system(str(request.args["a"] == "x"))',
    "quoted": 'import shlex\nos.system("ls " + shlex.quote(request.args["a"]))',
    "looked up": 'd = {"a": "ls", "b": "df"}\nos.system(d[request.args["a"]])',
    "dead branch": 'x = "ls"\nif 1 > 2:\n    x = request.args["a"]\nos.system(x)',
    "list without shell": 'subprocess.run(["ls", request.args["a"]])',
    "uuid": 'import uuid\nos.system("ls " + str(uuid.UUID(request.args["a"])))',
}


@pytest.mark.parametrize("body", TAINTED.values(), ids=TAINTED)
def test_arrives(body: str) -> None:
    assert reaches(body)


@pytest.mark.parametrize("body", CLEAN.values(), ids=CLEAN)
def test_does_not_arrive(body: str) -> None:
    assert not reaches(body)


@pytest.mark.parametrize(
    "name",
    [
        "credential_username",
        "ACCESS_TOKEN_USER",
        "SHOP_K8S_CONFIG_SECRET",
        "token_namespace",
        "CREDENTIALS_DIRECTORY",
        "REGEX_USER_PASS",
        "harbour_in_jwt",
        "user_id_from_token",
    ],
)
def test_names_of_holders_and_objects_are_no_secrets(name: str) -> None:
    assert not sensitive(name)


@pytest.mark.parametrize(
    "name", ["K8S_TOKEN", "user_token", "user_password", "login_token", "sign_in_token", "password_in_jwt"]
)
def test_secrets_beside_them_are(name: str) -> None:
    assert sensitive(name) == "secret"
