-- A file of version 2 as it was released. Never change this.
PRAGMA application_id = 1986358382;
PRAGMA user_version = 2;
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE observation (
    project TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    index_url TEXT NOT NULL,
    machine TEXT NOT NULL,
    version TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (project, filename, sha256, index_url, machine)
) WITHOUT ROWID;
CREATE TABLE approval (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
);
CREATE INDEX approval_by_project ON approval (project, created_at);
CREATE TABLE verdict_log (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    decision TEXT NOT NULL,
    stage TEXT NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    index_url TEXT NOT NULL,
    reason TEXT NOT NULL,
    opens_at INTEGER,
    approval_id INTEGER,
    author TEXT NOT NULL,
    findings TEXT NOT NULL
);
CREATE INDEX verdict_log_by_time ON verdict_log (at);
CREATE INDEX verdict_log_by_project ON verdict_log (project, at);
CREATE TABLE archive (
    sha256 TEXT PRIMARY KEY,
    version TEXT NOT NULL,
    findings TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE scan (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    rules INTEGER NOT NULL,
    project TEXT NOT NULL,
    version TEXT NOT NULL,
    filename TEXT NOT NULL,
    index_url TEXT NOT NULL,
    uploaded_at INTEGER,
    decision TEXT NOT NULL,
    scanned_at INTEGER NOT NULL,
    facts BLOB NOT NULL
);
CREATE INDEX scan_by_project ON scan (project);
CREATE TABLE file_scan (
    id INTEGER PRIMARY KEY,
    sha256 TEXT NOT NULL UNIQUE,
    rules INTEGER NOT NULL,
    facts BLOB NOT NULL
);
