"""Write src/veln_hook_startup.pth, whose one line has to hold a readable program.

``site`` executes a ``.pth`` line that starts with ``import``. Ours loads the
start-up module; should that be missing or damaged it installs FALLBACK instead,
which keeps Python silent and makes pip's installing commands refuse. A test
compares the file with what this prints.
"""

from __future__ import annotations

from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "src" / "veln_hook_startup.pth"

# Kept short: every start parses it as a string. It must stand alone, because it
# runs when our package doesn't. Twin of veln_hook._startup.refuse.
FALLBACK = """\
import sys
class F:
 def find_spec(s,n,p=None,t=None):
  h,f,c=n.partition('pip._internal.commands.')
  if f and c in ('install','download','wheel','lock') and (not h or h[-1]=='.'):
   import os
   a=[x for x in sys.argv[1:] if x not in ('-q','-v','-U','--upgrade','--user','--no-cache-dir','--break-system-packages')]
   o=os.environ.get('VELN_HOOK','').strip().lower() in ('off','0','no','false') and not os.path.lexists('/etc/xdg/veln-hook/policy.toml')
   if not o and a!=['install','--force-reinstall','veln-hook']:
    sys.stderr.write("ERROR: veln-hook's files are missing or damaged, so nothing is installed. Repair: "+sys.executable+" -m pip install --force-reinstall veln-hook\\n")
    raise SystemExit(78)
if not any(type(f).__module__=='veln_hook_fallback' for f in sys.meta_path):
 F.__module__='veln_hook_fallback'
 sys.meta_path.insert(0,F())
"""  # noqa: E501 - the line it ends up in is longer still


def line() -> str:
    """Return the one line, with its newline."""
    body = (
        f"try:\n import veln_hook._startup as s\n s.install()\nexcept Exception:\n exec({FALLBACK!r}, {{}})"
    )
    # A dict of its own: names defined by a bare exec would live in site's locals,
    # where the fallback's methods can't see them.
    return f"import sys; exec({body!r}, {{}})\n"


if __name__ == "__main__":
    TARGET.write_text(line(), encoding="ascii")
