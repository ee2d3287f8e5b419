"""What Python runs without being told to is reached by the import: whatever the code that does it is written in."""

from __future__ import annotations

import pytest

from support.code import scan
from veln_hook.source import vocabulary as v

RUNS = {
    "an annotation": "import os\nx: os.system('id')\n",
    "an annotation in a class": "import os\nclass A:\n    x: os.system('id') = 1\n",
    "an argument's annotation": "import os\ndef f(x: os.system('id')): pass\n",
    "the annotation of what is returned": "import os\ndef f() -> os.system('id'): pass\n",
    "an annotation with parts": "import os\nx: list[os.system('id')]\n",
    "annotations of named arguments": "import os\ndef f(*, x: os.system('id'), **k: os.popen('x')): pass\n",
    "an annotation that is a text": 'from pydantic import BaseModel\nclass M(BaseModel):\n    x: "__import__(\'os\').system(\'id\')"\n',
    "an annotation that is a text, of a module": 'import os\nfrom pydantic import BaseModel\nclass M(BaseModel):\n    x: "os.system(\'id\')"\n',
    "a forward reference": 'import typing\ntyping.ForwardRef("__import__(\'os\').system(\'id\')")._evaluate({}, {}, frozenset())\n',
    "hints of types": 'import typing\ndef f(x: "__import__(\'os\').system(\'id\')"): pass\ntyping.get_type_hints(f)\n',
    "base": "import os\nclass A(os.system('id') or object): pass\n",
    "kwclass": "import os\nclass A(x=os.system('id')): pass\n",
    "default": "import os\ndef f(x=os.system('id')): pass\n",
    "deco": "import os\n@(os.system('id') or staticmethod)\ndef f(): pass\n",
    "assert": "import os\nassert not os.system('id')\n",
    "raise": "import os\ntry:\n    raise os.system('id')\nexcept: pass\n",
    "except": "import os\ntry:\n    1/0\nexcept (os.system('id') or Exception): pass\n",
    "del": "import os\nd={}\ndel d[os.system('id')]\n",
    "aug": "import os\nx=0\nx+=os.system('id')\n",
    "subscript target": "import os\nd={}\nd[os.system('id')]=1\n",
    "attr target": "import os\nf(os.system('id')).x=1\n",
    "with target": "import os\nwith x as d[os.system('id')]: pass\n",
    "for target": "import os\nfor d[os.system('id')] in [1]: pass\n",
    "while": "import os\nwhile os.system('id'): pass\n",
    "comp if": "import os\n[x for x in [1] if os.system('id')]\n",
    "comp second": "import os\n[x for x in [1] for y in [os.system('id')]]\n",
    "dictcomp": "import os\n{os.system('id'):1 for x in [1]}\n",
    "gen": "import os\nlist(os.system('id') for x in [1])\n",
    "lambda call": "import os\n(lambda: os.system('id'))()\n",
    "star": "import os\nprint(*[os.system('id')])\n",
    "kwstar": "import os\nprint(**{'end':os.system('id')})\n",
    "fspec": 'import os\nf\'{1:{os.system("id")}}\'\n',
    "slice": "import os\n[1][os.system('id'):]\n",
    "ternary test": "import os\n1 if os.system('id') else 2\n",
    "global": "import os\ndef f():\n    global o\n    o=os\nf()\no.system('id')\n",
    "nonlocal": "import os\ndef f():\n    o=None\n    def g():\n        nonlocal o\n        o=os\n    g()\n    o.system('id')\nf()\n",
    "try else": "import os\ntry: pass\nexcept: pass\nelse: os.system('id')\n",
    "try finally": "import os\ntry: pass\nfinally: os.system('id')\n",
    "for else": "import os\nfor x in []: pass\nelse: os.system('id')\n",
    "while else": "import os\nwhile 0: pass\nelse: os.system('id')\n",
    "chained": "import os\n0 < 1 < os.system('id')\n",
    "matmul": "import os\n1 @ os.system('id')\n",
    "not": "import os\nnot os.system('id')\n",
    "invert": "import os\n~os.system('id')\n",
    "unpack": "import os\na,b=1,os.system('id')\n",
    "starassign": "import os\n*a,=[os.system('id')]\n",
    "nested func": "import os\ndef f():\n    def g(): os.system('id')\n    g()\nf()\n",
    "nested class": "import os\ndef f():\n    class A: os.system('id')\nf()\n",
    "staticm": "import os\nclass A:\n    @staticmethod\n    def g(): os.system('id')\nA.g()\n",
    "classm": "import os\nclass A:\n    @classmethod\n    def g(c): os.system('id')\nA.g()\n",
    "super": "import os\nclass A:\n    def g(s): os.system('id')\nclass B(A):\n    def g(s): super().g()\nB().g()\n",
    "mixin": "import os\nclass A:\n    def g(s): os.system('id')\nclass B(A): pass\nB().g()\n",
    "cached_property": "import os,functools\nclass A:\n    @functools.cached_property\n    def g(s): os.system('id')\nA().g\n",
    "enum": "import os,enum\nclass E(enum.Enum):\n    A=1\n    def __init__(s,v): os.system('id')\n",
    "dataclass post": "import os,dataclasses\n@dataclasses.dataclass\nclass D:\n    x:int=0\n    def __post_init__(s): os.system('id')\nD()\n",
    "default_factory": "import os,dataclasses\ndef g(): os.system('id')\n@dataclasses.dataclass\nclass D:\n    x:list=dataclasses.field(default_factory=g)\nD()\n",
    "default_factory sys": "import os,dataclasses\n@dataclasses.dataclass\nclass D:\n    x:list=dataclasses.field(default_factory=lambda: os.system('id'))\nD()\n",
    "defaultdict": "import os,collections\nd=collections.defaultdict(lambda: os.system('id'))\nd[1]\n",
    "iter sentinel": "import os\nlist(iter(lambda: os.system('id'),0))\n",
    "max key": "import os\nmax([1],key=lambda x: os.system('id'))\n",
    "re.sub": "import os,re\nre.sub('a',lambda m: os.system('id'),'a')\n",
    "sorted key fn": "import os\ndef g(x): os.system('id')\nsorted([1],key=g)\n",
    "atexit": "import os,atexit\natexit.register(os.system,'id')\n",
    "contextmanager": "import os,contextlib\n@contextlib.contextmanager\ndef g():\n    os.system('id'); yield\nwith g(): pass\n",
    "exitstack": "import os,contextlib\nwith contextlib.ExitStack() as s: s.callback(os.system,'id')\n",
    "weakref": "import os,weakref\nclass A: pass\nweakref.finalize(A(),os.system,'id')\n",
    "asyncio.run": "import os,asyncio\nasync def g(): os.system('id')\nasyncio.run(g())\n",
    "singledispatch": "import os,functools\n@functools.singledispatch\ndef g(x): os.system('id')\ng(1)\n",
    "functools.wraps": "import os,functools\ndef d(f):\n    @functools.wraps(f)\n    def w(): os.system('id')\n    return w\n@d\ndef h(): pass\nh()\n",
    "register class": "import os\nR={}\ndef reg(c): R[c.__name__]=c; return c\n@reg\nclass A:\n    def go(s): os.system('id')\nR['A']().go()\n",
    "map own": "import os\ndef go(x): os.system('id')\nlist(map(go,[1]))\n",
    "setattr own": "import os\ndef go(): os.system('id')\nclass A: pass\nA.g=go\nA.g()\n",
    "partial own": "import os,functools\ndef go(x): os.system('id')\nfunctools.partial(go,1)()\n",
    "closure": "import os\ndef mk():\n    def go(): os.system('id')\n    return go\nmk()()\n",
    "class attr fn": "import os\ndef go(s): os.system('id')\nclass A: g=go\nA().g()\n",
    "thread": "import os,threading\nthreading.Thread(target=lambda: os.system('id')).start()\n",
    "timer": "import os,threading\nthreading.Timer(0,os.system,['id']).start()\n",
    "executor": "import os\nfrom concurrent.futures import ThreadPoolExecutor as T\nwith T() as t: t.submit(os.system,'id')\n",
    "signal": "import os,signal\nsignal.signal(signal.SIGALRM,lambda *a: os.system('id'))\nsignal.alarm(1)\n",
    "sys.settrace": "import os,sys\nsys.settrace(lambda *a: os.system('id'))\n",
    "import hook": "import os,sys\nclass F:\n    def find_spec(s,*a): os.system('id')\nsys.meta_path.insert(0,F())\nimport x\n",
    "path hook": "import os,sys\ndef h(p): os.system('id')\nsys.path_hooks.insert(0,h)\n",
    "codecs.register": "import os,codecs\ndef s(n): os.system('id')\ncodecs.register(s)\n''.encode('zz')\n",
    "warnings": "import os,warnings\nwarnings.showwarning=lambda *a: os.system('id')\nwarnings.warn('x')\n",
    "displayhook": "import os,sys\nsys.displayhook=os.system\n",
    "stdout": "import os,sys\nclass W:\n    def write(s,x): os.system('id')\nsys.stdout=W()\nprint(1)\n",
    "logging handler": "import os,logging\nclass H(logging.Handler):\n    def emit(s,r): os.system('id')\nlogging.getLogger().addHandler(H())\nlogging.warning('x')\n",
    "argparse type": "import os,argparse\np=argparse.ArgumentParser()\np.add_argument('x',type=os.system)\np.parse_args(['id'])\n",
    "json hook": "import os,json\njson.loads('{}',object_hook=lambda d: os.system('id'))\n",
    "copyreg": "import os,copy\nclass A:\n    def __reduce__(s): return os.system,('id',)\ncopy.copy(A())\n",
    "deepcopy": "import os,copy\nclass A:\n    def __deepcopy__(s,m): os.system('id')\ncopy.deepcopy(A())\n",
    "fspath": "import os\nclass A:\n    def __fspath__(s): os.system('id'); return ''\nopen(A())\n",
    "len": "import os\nclass A:\n    def __len__(s): os.system('id'); return 0\nlen(A())\n",
    "descriptor": "import os\nclass D:\n    def __get__(s,*a): os.system('id')\nclass A: x=D()\nA.x\n",
    "call": "import os\nclass A:\n    def __call__(s): os.system('id')\na=A()\na()\n",
    "call deco": "import os\nclass A:\n    def __init__(s,f): pass\n    def __call__(s): os.system('id')\n@A\ndef f(): pass\nf()\n",
    "meta call": "import os\nclass M(type):\n    def __call__(c): os.system('id')\nclass A(metaclass=M): pass\nA()\n",
    "prepare": "import os\nclass M(type):\n    @classmethod\n    def __prepare__(m,*a): os.system('id'); return {}\nclass A(metaclass=M): pass\n",
    "mro_entries": "import os\nclass B:\n    def __mro_entries__(s,b): os.system('id'); return ()\nclass A(B()): pass\n",
    "instancecheck": "import os\nclass M(type):\n    def __instancecheck__(c,i): os.system('id')\nclass A(metaclass=M): pass\nisinstance(1,A)\n",
    "dict dispatch": "import os\ndef go(): os.system('id')\nD={'a':go}\nD['a']()\n",
    "dict dispatch fn": "import os\ndef go(): os.system('id')\nD={'a':go}\ndef run(k): D[k]()\nrun('a')\n",
    "list loop": "import os\ndef go(): os.system('id')\nL=[go]\nfor f in L: f()\n",
    "a table's items": "import os\ndef go(): os.system('id')\nD = {'a': go}\nfor name, f in D.items(): f()\n",
    "for a type checker": "import os, typing\ntyping.TYPE_CHECKING = True\nif typing.TYPE_CHECKING:\n    os.system('id')\n",
    "out of a table by get": "import os\ndef go(): os.system('id')\nD = {'a': go}\nD.get('a')()\n",
}  # fmt: skip
WAITS = {
    "a function that nobody calls": "import os\ndef f():\n    os.system('id')\n",
    "a method that nobody calls": "import os\nclass A:\n    def f(self): os.system('id')\nA()\n",
    "a special method of a class that nobody makes": "import os\nclass A:\n    def __len__(self): os.system('id')\n",
    "a function that is defined in one that nobody calls": "import os\ndef f():\n    def g(): os.system('id')\n    g()\n",
    "a lambda in one": "import os\ndef f():\n    return lambda: os.system('id')\n",
    "a table that nobody takes from": "import os\ndef go(): os.system('id')\nD = {'a': go}\n",
    "an annotation's name": "import os\ndef f(): os.system('id')\nx: f\n",
    "a decorator of another project": "import os, click\n@click.command()\ndef f(): os.system('id')\n",
}


def reaches(source: str) -> set[str]:
    """Return the ways in which a process comes to be started by a package of one module."""
    facts = scan({"acme/__init__.py": source})
    return {each.reach for each in facts.capabilities if each.kind == v.PROC}


@pytest.mark.parametrize("name", RUNS)
def test_what_python_runs_is_reached_by_the_import(name):
    compile(RUNS[name], name, "exec", dont_inherit=True)
    assert "import" in reaches(RUNS[name])


@pytest.mark.parametrize("name", WAITS)
def test_what_waits_for_a_call_is_not(name):
    assert reaches(WAITS[name]) == {"call"}
