"""How a review looks: colours for light and dark screens, nothing that is loaded from anywhere."""

from __future__ import annotations

STYLE = """
:root { --fg:#1b1f24; --bg:#fff; --dim:#59636e; --line:#d1d9e0; --soft:#f6f8fa; --red:#b42318;
  --redbg:#fff1ef;
  --amber:#8a5a00; --amberbg:#fff7e0; --green:#1a7f37; --greenbg:#e9fbee; --add:#e9fbee;
  --del:#fff1ef; }
@media (prefers-color-scheme: dark) { :root { --fg:#e6edf3; --bg:#0d1117; --dim:#9198a1; --line:#30363d;
  --soft:#161b22; --red:#ff8b80; --redbg:#3a1513; --amber:#e6b450; --amberbg:#33270a; --green:#5fd07e;
  --greenbg:#0f2a18; --add:#10301b; --del:#3a1715; } }
* { box-sizing:border-box; }
body { margin:0 auto; max-width:1100px; padding:24px 20px 64px; color:var(--fg); background:var(--bg);
  font:15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size:24px; margin:0 0 4px; overflow-wrap:anywhere; }
h2 { font-size:17px; margin:32px 0 10px; padding-bottom:6px; border-bottom:1px solid var(--line); }
h3 { font:600 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; margin:0; overflow-wrap:anywhere; }
article + article { margin-top:56px; border-top:3px solid var(--line); padding-top:24px; }
.file { color:var(--dim); font-family:ui-monospace, "DejaVu Sans Mono", monospace; font-size:13px;
  overflow-wrap:anywhere; }
.badge { display:inline-block; font-weight:700; font-size:12px; letter-spacing:.04em;
  padding:1px 9px; border-radius:999px;
  border:1px solid currentColor; vertical-align:middle; white-space:nowrap; }
.block, .hold { color:var(--red); background:var(--redbg); } .warn { color:var(--amber);
  background:var(--amberbg); }
.allow { color:var(--green); background:var(--greenbg); }
h1 .badge { font-size:15px; margin-right:6px; }
dl { display:grid; grid-template-columns:max-content 1fr; gap:3px 20px; margin:16px 0 0; }
dt { color:var(--dim); } dd { margin:0; overflow-wrap:anywhere; }
.finding { border:1px solid var(--line); border-left:4px solid var(--dim); border-radius:6px;
  padding:9px 14px; margin:8px 0; }
.finding.f-block, .finding.f-hold { border-left-color:var(--red); }
  .finding.f-warn { border-left-color:var(--amber); }
.finding p { margin:4px 0 0; overflow-wrap:anywhere; }
.meta { color:var(--dim); font-size:13px; overflow-wrap:anywhere; }
.t { unicode-bidi:bidi-override; direction:ltr; }
code, pre, .code { font-family:ui-monospace, "DejaVu Sans Mono", monospace; font-size:12.5px;
  line-height:1.5; }
.evidence { display:block; margin-top:6px; padding:5px 9px; background:var(--soft); border-radius:4px;
  white-space:pre-wrap; overflow-wrap:anywhere; }
.change { border:1px solid var(--line); border-radius:6px; margin:14px 0; overflow:hidden; }
.change header { background:var(--soft); padding:7px 12px; border-bottom:1px solid var(--line); }
.change.bare header { border-bottom:0; }
table { border-collapse:collapse; width:100%; table-layout:fixed; }
td { vertical-align:top; padding:0 8px; white-space:pre-wrap; overflow-wrap:anywhere; overflow:hidden; }
col.n { width:64px; } col.m { width:24px; }
td.n { text-align:right; font-size:12.5px; line-height:1.5; color:var(--dim); user-select:none; }
td.m { padding:0 4px; font-size:12.5px; line-height:1.5; text-align:center;
  color:var(--dim); user-select:none; }
tr.add { background:var(--add); } tr.del { background:var(--del); }
tr.gap td { font-size:12.5px; color:var(--dim); background:var(--soft); padding:2px 12px; text-align:center; }
tr.note td { padding:5px 12px; border-left:4px solid var(--dim); white-space:normal; }
tr.note.f-block td, tr.note.f-hold td { border-left-color:var(--red); background:var(--redbg); }
tr.note.f-warn td { border-left-color:var(--amber); background:var(--amberbg); }
.c { color:var(--red); background:var(--redbg); border:1px solid currentColor; border-radius:3px;
  padding:0 2px; font-size:.85em; }
.command { display:block; padding:10px 14px; background:var(--soft); border:1px solid var(--line);
  border-radius:6px;
  white-space:pre-wrap; overflow-wrap:anywhere; user-select:all; }
ul.plain { list-style:none; padding:0; margin:8px 0; } ul.plain li { overflow-wrap:anywhere;
  padding:1px 0; }
footer { margin-top:48px; color:var(--dim); font-size:13px; }
"""
