"""What destroys rather than steals: homes, disks and every file that is found, by functions or commands."""

from __future__ import annotations

import pytest

from support.code import held, scan
from veln_hook.source.analysis import analyse_python
from veln_hook.source.destroying import destroys, is_everything

_WALK = "for top, _, names in os.walk({place}):\n    for name in names:\n        {act}\n"
_PATH = "os.path.join(top, name)"
DESTROYS = {
    "a home": "import os, shutil\nshutil.rmtree(os.path.expanduser('~'), ignore_errors=True)",
    "a home, by pathlib": "import shutil\nfrom pathlib import Path\nshutil.rmtree(Path.home())",
    "a home, by its variable": "import os, shutil\nshutil.rmtree(os.environ['HOME'])",
    "a home, by its variable in a text": "import os, shutil\nshutil.rmtree(os.path.expandvars('$HOME'))",
    "documents": "import os, shutil\nshutil.rmtree(os.path.join(os.path.expanduser('~'), 'Documents'))",
    "the root": "from shutil import rmtree as r\nr('/')",
    "the root, by its name": "import os, shutil\nshutil.rmtree(os.sep)",
    "a drive": "import shutil\nshutil.rmtree('C:\\\\')",
    "each file": "import os\n" + _WALK.format(place="os.path.expanduser('~')", act=f"os.remove({_PATH})"),
    "each file, emptied": "import os\n" + _WALK.format(place="'/'", act=f"open({_PATH}, 'w').close()"),
    "each file, cut off": "import os\n" + _WALK.format(place="'/home'", act=f"os.truncate({_PATH}, 0)"),
    "each file, renamed": "import os\n" + _WALK.format(place="'/home'", act=f"os.rename({_PATH}, {_PATH} + '.x')"),
    "each file, by paths": "from pathlib import Path\nfor p in Path.home().rglob('*'):\n    p.unlink()",
    "each file, overwritten": "from pathlib import Path\nfor p in Path('/').rglob('*'):\n    p.write_bytes(b'')",
    "each file, by glob": "import glob, os\nfor p in glob.glob('/home/**/*', recursive=True):\n    os.unlink(p)",
    "each directory": "import os, shutil\nfor p in os.listdir('/'):\n    shutil.rmtree('/' + p)",
    "each file, by a function": (
        "import os\ndef wipe(path):\n    os.remove(path)\n" + _WALK.format(place="'/'", act=f"wipe({_PATH})")
    ),
    "each file that a function finds": (
        "import os, pathlib\ndef found():\n    for p in pathlib.Path('/').rglob('*'):\n        yield p\n"
        "for p in found():\n    os.remove(p)"
    ),
    "each file, encrypted": (
        "import os\nfrom cryptography.fernet import Fernet\nf = Fernet(Fernet.generate_key())\n"
        + _WALK.format(place="os.path.expanduser('~')", act=f"data = f.encrypt(open({_PATH}, 'rb').read())\n"
        f"        open({_PATH}, 'wb').write(data)")
    ),
    "a disk": "open('/dev/sda', 'wb').write(b'0' * 512)",
    "rm": "import os\nos.system('rm -rf ~/')",
    "rm of a list": "import os, subprocess\nsubprocess.run(['rm', '-r', '-f', os.path.expanduser('~')])",
    "rm of a text that is made": "import os\nos.system(f'rm -rf {os.path.expanduser(\"~\")}')",
    "rm by a shell": "import subprocess\nsubprocess.run('sudo rm --no-preserve-root -rf /', shell=True)",
    "rm behind another command": "import os\nos.system('cd /tmp && rm -rf $HOME; true')",
    "find": "import os\nos.system('find / -type f -delete')",
    "dd": "import os\nos.system('dd if=/dev/zero of=/dev/sda bs=1M')",
    "mkfs": "import os\nos.system('mkfs.ext4 -F /dev/sda1')",
    "format": "import os\nos.system('format c: /y')",
    "del": "import os\nos.system('cmd /c del /f /s /q C:\\\\*')",
    "rd": "import os\nos.system('rd /s /q C:\\\\Users')",
    "shadow copies": "import os\nos.system('vssadmin delete shadows /all /quiet')",
    "free space": "import os\nos.system('cipher /w:C')",
    "rights": "import os\nos.system('chmod -R 000 /')",
    "a bomb of processes": "import os\nos.system(':(){ :|:& };:')",
}  # fmt: skip
HONEST = {
    "a cache": "import os, shutil\nshutil.rmtree(os.path.expanduser('~/.cache/acme'), ignore_errors=True)",
    "a temporary directory": "import shutil, tempfile\nshutil.rmtree(tempfile.mkdtemp())",
    "old logs": "import glob, os\nfor p in glob.glob('/var/log/acme/*.log'):\n    os.remove(p)",
    "its own pyc files": (
        "import os\nfor top, _, names in os.walk(os.path.dirname(__file__)):\n    for n in names:\n"
        "        if n.endswith('.pyc'):\n            os.remove(os.path.join(top, n))"
    ),
    "what is read of a home": (
        "import os\nfor name in os.listdir(os.path.expanduser('~')):\n    print(open(name).read())"
    ),
    "a list in a home": "import os\nx = os.listdir(os.path.expanduser('~'))\nx.remove('.cache')",
    "a text": "import os\nx = [p.replace('/', '.') for p in os.listdir('/')]",
    "a command of its own": "import os\nos.system('rm -rf build dist')",
    "a directory below a home": "import os\nos.system('rm -rf ~/.acme/tmp')",
    "what is only called": "import os, shutil\ndef uninstall():\n    shutil.rmtree(os.path.expanduser('~'))",
    "nothing": "import os\nos.system('dd if=/dev/urandom of=/dev/null count=1')",
    "rights of a directory": "import os\nos.system('chmod -R u+w build')",
}


@pytest.mark.parametrize("name", DESTROYS)
def test_it_is_held(name):
    assert "destruction" in held(scan({"acme/__init__.py": DESTROYS[name]})), DESTROYS[name]


@pytest.mark.parametrize("name", HONEST)
def test_what_destroys_little_is_not(name):
    assert "destruction" not in held(scan({"acme/__init__.py": HONEST[name]}))


@pytest.mark.parametrize("name", [name for name in DESTROYS if "function" not in name])
def test_its_file_is_parsed_for_what_it_is(name):
    assert not analyse_python(DESTROYS[name].encode()).light


@pytest.mark.parametrize("name", ["a home", "rm", "each file"])
def test_it_is_held_where_another_module_starts_it(name):
    lines = DESTROYS[name].replace("\n", "\n    ")
    files = {"acme/__init__.py": "from . import _x\n_x.go()\n", "acme/_x.py": f"def go():\n    {lines}\n"}
    assert "destruction" in held(scan(files))


@pytest.mark.parametrize("name", ["a home", "rm", "each file"])
def test_it_is_held_in_setup_py(name):
    assert "destruction" in held(scan({"acme-1.0/setup.py": DESTROYS[name]}))


@pytest.mark.parametrize(
    "path", ["/", "//", "~", "~/", "/*", "/home", "/home/", "/home/{}", "/home/*", "C:\\", "c:", "~/Documents", "$HOME"]
)  # fmt: skip
def test_below_some_places_is_everything(path):
    assert is_everything(path)


@pytest.mark.parametrize(
    "path", ["", ".", "./", "{}", "build", "/tmp/x", "~/.cache", "/var/log/acme", "*", "{}/x"]
)
def test_below_others_is_not(path):
    assert not is_everything(path)


@pytest.mark.parametrize(
    "command", ["rm", "rm -rf", "rm x", "dd", "find / -name x", "", "sudo", "format", "rm -r x/"]
)
def test_such_commands_destroy_nothing(command):
    assert not destroys(command)
