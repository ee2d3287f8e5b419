"""The SQL of the shared store's tables and functions, version by version; ``postgres_schema`` runs it."""

from __future__ import annotations

VERSION_1 = (
    """\
CREATE FUNCTION veln_hook.micros() RETURNS bigint LANGUAGE sql AS $$
    SELECT floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint
$$""",
    """\
CREATE TABLE veln_hook.about (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    version int NOT NULL,
    oldest int NOT NULL,
    started_at bigint NOT NULL,
    votes text NOT NULL DEFAULT 'machine' CHECK (votes IN ('machine', 'login')),
    votes_kept int NOT NULL DEFAULT 100 CHECK (votes_kept BETWEEN 1 AND 10000),
    late bigint DEFAULT 86400000000 CHECK (late >= 0),
    salt text NOT NULL
)""",
    """\
CREATE TABLE veln_hook.machine (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
)""",
    # first_seen and first_machine stand here, too, so that the first sight needs no look at all the others.
    """\
CREATE TABLE veln_hook.file (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_seen bigint NOT NULL,
    last_seen bigint NOT NULL,
    first_machine int NOT NULL,
    project text NOT NULL,
    filename text NOT NULL,
    sha256 text NOT NULL,
    index_url text NOT NULL,
    version text NOT NULL,
    UNIQUE (project, filename, sha256, index_url)
)""",
    # No foreign keys: each sighting would lock the row of a file that the whole fleet is looking at.
    """\
CREATE TABLE veln_hook.sighting (
    file bigint NOT NULL,
    first_seen bigint NOT NULL,
    machine int NOT NULL,
    PRIMARY KEY (file, machine)
)""",
    """\
CREATE TABLE veln_hook.approval (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    uid uuid NOT NULL UNIQUE,
    project text NOT NULL,
    version text NOT NULL,
    filename text NOT NULL,
    sha256 text NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    login text NOT NULL,
    revoked_by text
)""",
    "CREATE INDEX approval_by_project ON veln_hook.approval (project)",
    """\
CREATE TABLE veln_hook.verdict_log (
    id bigint PRIMARY KEY,
    uid uuid NOT NULL UNIQUE,
    at bigint NOT NULL,
    decision text NOT NULL,
    stage text NOT NULL,
    project text NOT NULL,
    version text NOT NULL,
    filename text NOT NULL,
    sha256 text NOT NULL,
    index_url text NOT NULL,
    reason text NOT NULL,
    opens_at bigint,
    approval_id bigint,
    author text NOT NULL,
    findings text NOT NULL,
    machine text NOT NULL,
    login text NOT NULL,
    received_at bigint NOT NULL,
    hash bytea NOT NULL
)""",
    "CREATE INDEX verdict_log_by_time ON veln_hook.verdict_log (at)",
    "CREATE INDEX verdict_log_by_project ON veln_hook.verdict_log (project, at)",
    # The newest row's number and hash; and those of the newest row that retention has deleted.
    """\
CREATE TABLE veln_hook.log_head (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    id bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT sha256(''),
    anchor_id bigint NOT NULL DEFAULT 0,
    anchor_hash bytea NOT NULL DEFAULT sha256('')
)""",
    "INSERT INTO veln_hook.log_head DEFAULT VALUES",
    """\
INSERT INTO veln_hook.about (version, oldest, started_at, salt) VALUES (0, 1, veln_hook.micros(),
    md5(random()::text || clock_timestamp()::text) || md5(random()::text || txid_current()::text))""",
    # Each field with its length before it: no two rows have one spelling. postgres_chain spells it again.
    """\
CREATE FUNCTION veln_hook.spelled(VARIADIC fields text[]) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT convert_to(string_agg(coalesce(octet_length(f) || ':' || f, '-') || ',', '' ORDER BY n), 'UTF8')
    FROM unnest(fields) WITH ORDINALITY AS given(f, n)
$$""",
    """\
CREATE FUNCTION veln_hook.identity(claimed text) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
    SELECT CASE votes
        WHEN 'login' THEN left(encode(sha256(convert_to(salt || session_user, 'UTF8')), 'hex'), 32)
        ELSE claimed END FROM about
$$""",
    """\
CREATE FUNCTION veln_hook.observe(projects text[], versions text[], filenames text[], sha256s text[],
    indexes text[], machines text[], times bigint[]) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
DECLARE
    arrived bigint := veln_hook.micros();
    earliest bigint;
    most int;
    me text;
    added bigint;
BEGIN
    -- A machine could claim to have seen a file long ago, and so let it pass everywhere.
    SELECT arrived - late, votes_kept, CASE votes WHEN 'login' THEN identity('') END
        INTO earliest, most, me FROM about;
    INSERT INTO machine (name) SELECT DISTINCT coalesce(me, m) AS name FROM unnest(machines) AS m
        WHERE NOT EXISTS (SELECT FROM machine WHERE name = coalesce(me, m)) ORDER BY 1 ON CONFLICT DO NOTHING;
    -- In one order everywhere, or two calls could wait for each other.
    INSERT INTO file (first_seen, last_seen, first_machine, project, filename, sha256, index_url, version)
        SELECT DISTINCT ON (s.p, s.f, s.h, s.i)
            greatest(least(s.t, arrived), earliest), arrived, m.id, s.p, s.f, s.h, s.i, s.v
        FROM unnest(projects, versions, filenames, sha256s, indexes, machines, times)
            AS s(p, v, f, h, i, m, t)
        JOIN machine m ON m.name = coalesce(me, s.m)
        WHERE NOT EXISTS (SELECT FROM file
            WHERE (project, filename, sha256, index_url) = (s.p, s.f, s.h, s.i))
        ORDER BY s.p, s.f, s.h, s.i, s.t ON CONFLICT DO NOTHING;
    WITH given AS (
        SELECT f.id, m.id AS machine, min(greatest(least(s.t, arrived), earliest)) AS first_seen
        FROM unnest(projects, filenames, sha256s, indexes, machines, times) AS s(p, f, h, i, m, t)
        JOIN file f ON (f.project, f.filename, f.sha256, f.index_url) = (s.p, s.f, s.h, s.i)
        JOIN machine m ON m.name = coalesce(me, s.m)
        GROUP BY 1, 2
    ), kept AS (
        -- As many machines as can ever count, and no more: what is known of a file does not grow for ever.
        INSERT INTO sighting AS s (file, machine, first_seen)
        SELECT id, machine, first_seen FROM given
        WHERE (SELECT count(*) FROM (SELECT FROM sighting WHERE file = given.id LIMIT most) AS counted) < most
            OR EXISTS (SELECT FROM sighting WHERE file = given.id AND sighting.machine = given.machine)
        ORDER BY 1, 2
        ON CONFLICT (file, machine) DO UPDATE SET first_seen = excluded.first_seen
            WHERE s.first_seen > excluded.first_seen
        RETURNING xmax = 0 AS fresh
    )
    SELECT count(*) FILTER (WHERE fresh) INTO added FROM kept;
    UPDATE file SET first_seen = s.t, first_machine = s.m FROM (
        SELECT DISTINCT ON (f.id) f.id, m.id AS m, greatest(least(s.t, arrived), earliest) AS t
        FROM unnest(projects, filenames, sha256s, indexes, machines, times) AS s(p, f, h, i, m, t)
        JOIN file f ON (f.project, f.filename, f.sha256, f.index_url) = (s.p, s.f, s.h, s.i)
        JOIN machine m ON m.name = coalesce(me, s.m)
        ORDER BY f.id, s.t
    ) AS s WHERE file.id = s.id AND file.first_seen > s.t;
    UPDATE file SET last_seen = arrived WHERE last_seen < arrived - 2592000000000 AND id IN (
        SELECT f.id FROM unnest(projects, filenames, sha256s, indexes) AS s(p, f, h, i)
        JOIN file f ON (f.project, f.filename, f.sha256, f.index_url) = (s.p, s.f, s.h, s.i));
    RETURN added;
END $$""",
    # One writer at a time, so that there is one chain. A row that was sent before is passed over: whoever
    # did not hear that it was written sends it again.
    """\
CREATE FUNCTION veln_hook.append_row(uid uuid, at bigint, decision text, stage text, project text,
    version text, filename text, sha256 text, index_url text, reason text, opens_at bigint,
    approval_id bigint, author text, findings text, machine text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    head log_head;
    arrived bigint;
    made bytea;
BEGIN
    SELECT * INTO head FROM log_head FOR UPDATE;
    IF EXISTS (SELECT FROM verdict_log AS l WHERE l.uid = append_row.uid) THEN
        RETURN;
    END IF;
    arrived := veln_hook.micros();
    made := sha256(head.hash || spelled((head.id + 1)::text, uid::text, at::text, decision, stage, project,
        version, filename, sha256, index_url, reason, opens_at::text, approval_id::text, author, findings,
        machine, session_user::text, arrived::text));
    INSERT INTO verdict_log VALUES (head.id + 1, uid, at, decision, stage, project, version, filename, sha256,
        index_url, reason, opens_at, approval_id, author, findings, machine, session_user, arrived, made);
    UPDATE log_head SET id = head.id + 1, hash = made;
END $$""",
    """\
CREATE FUNCTION veln_hook.append(machine text, uids uuid[], ats bigint[], decisions text[], stages text[],
    projects text[], versions text[], filenames text[], sha256s text[], indexes text[], reasons text[],
    opens bigint[], approval_ids bigint[], authors text[], findings text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
DECLARE
    n int;
BEGIN
    FOR n IN 1 .. coalesce(array_length(uids, 1), 0) LOOP
        -- Approvals are told by the functions that make them, and by nobody who only says so.
        IF stages[n] IN ('approval', 'admin') THEN
            RAISE EXCEPTION 'a machine can not tell of approvals';
        END IF;
        PERFORM append_row(uids[n], ats[n], decisions[n], stages[n], projects[n], versions[n], filenames[n],
            sha256s[n], indexes[n], reasons[n], opens[n], approval_ids[n], authors[n], findings[n],
            identity(machine));
    END LOOP;
END $$""",
    """\
CREATE FUNCTION veln_hook.add_approval(uid uuid, project text, version text, filename text, sha256 text,
    reason text, author text, created_at bigint, expires_at bigint, revoked_at bigint, machine text)
    RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    number bigint;
BEGIN
    INSERT INTO approval (uid, project, version, filename, sha256, reason, author, created_at, expires_at,
        revoked_at, login) VALUES (uid, project, version, filename, sha256, reason, author, created_at,
        expires_at, revoked_at, session_user) ON CONFLICT DO NOTHING RETURNING id INTO number;
    IF number IS NULL THEN
        SELECT id INTO number FROM approval AS a WHERE a.uid = add_approval.uid;
        RETURN number;
    END IF;
    PERFORM append_row(uid, veln_hook.micros(), 'allow', 'approval', project, version, filename, sha256, '',
        'approved: ' || reason, NULL, number, author, '[]', identity(machine));
    RETURN number;
END $$""",
    """\
CREATE FUNCTION veln_hook.revoke_approval(number bigint, moment bigint, who text, machine text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
DECLARE
    ended approval;
BEGIN
    -- Never later than now: a clock that is ahead would leave it in force.
    UPDATE approval SET revoked_at = least(moment, veln_hook.micros()), revoked_by = session_user
        WHERE id = number AND revoked_at IS NULL RETURNING * INTO ended;
    IF ended.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM append_row(md5(clock_timestamp()::text || random()::text)::uuid, micros(), 'allow', 'approval',
        ended.project, ended.version, ended.filename, ended.sha256, '', 'approval revoked', NULL, ended.id,
        who, '[]', identity(machine));
    RETURN true;
END $$""",
    """\
CREATE FUNCTION veln_hook.prune_approvals(moment bigint) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
    WITH gone AS (
        DELETE FROM approval
        WHERE expires_at <= least(moment, micros()) OR revoked_at <= least(moment, micros())
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$""",
    """\
CREATE FUNCTION veln_hook.prune(log_before bigint, unseen_since bigint, OUT files bigint, OUT records bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
DECLARE
    head log_head;
    last verdict_log;
BEGIN
    DELETE FROM file WHERE last_seen < unseen_since;
    GET DIAGNOSTICS files = ROW_COUNT;
    DELETE FROM sighting WHERE NOT EXISTS (SELECT FROM file WHERE id = sighting.file);
    DELETE FROM machine WHERE NOT EXISTS (SELECT FROM sighting WHERE sighting.machine = machine.id)
        AND NOT EXISTS (SELECT FROM file WHERE first_machine = machine.id);
    SELECT * INTO head FROM log_head FOR UPDATE;
    -- From the oldest on, without a gap, by the time of arrival, which no machine chooses.
    SELECT * INTO last FROM verdict_log WHERE id < coalesce(
        (SELECT min(id) FROM verdict_log WHERE received_at >= log_before), head.id + 1)
        ORDER BY id DESC LIMIT 1;
    records := 0;
    IF last.id IS NOT NULL THEN
        PERFORM set_config('veln_hook.pruning', 'on', true);
        DELETE FROM verdict_log WHERE id <= last.id;
        GET DIAGNOSTICS records = ROW_COUNT;
        PERFORM set_config('veln_hook.pruning', '', true);
        UPDATE log_head SET anchor_id = last.id, anchor_hash = last.hash;
        PERFORM append_row(md5(clock_timestamp()::text || random()::text)::uuid, micros(), 'allow', 'admin',
            '', '', '', '', '', format('%s records up to number %s were deleted by age', records, last.id),
            NULL, NULL, session_user::text, '[]', '');
    END IF;
END $$""",
    """\
CREATE FUNCTION veln_hook.only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('veln_hook.pruning', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the verdict log only grows' USING ERRCODE = 'insufficient_privilege';
END $$""",
    """\
CREATE TRIGGER only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON veln_hook.verdict_log
    FOR EACH STATEMENT EXECUTE FUNCTION veln_hook.only_grows()""",
    "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA veln_hook FROM PUBLIC",
    "GRANT USAGE ON SCHEMA veln_hook TO veln_hook_machine",
    """\
GRANT SELECT ON veln_hook.machine, veln_hook.file, veln_hook.sighting, veln_hook.approval
    TO veln_hook_machine""",
    "GRANT SELECT (version, oldest, started_at, votes, votes_kept) ON veln_hook.about TO veln_hook_machine",
    """\
GRANT EXECUTE ON FUNCTION veln_hook.identity, veln_hook.observe, veln_hook.append TO veln_hook_machine""",
    """\
GRANT EXECUTE ON FUNCTION veln_hook.add_approval, veln_hook.revoke_approval, veln_hook.prune_approvals
    TO veln_hook_approver""",
    "GRANT SELECT ON veln_hook.verdict_log, veln_hook.log_head TO veln_hook_approver",
)

REQUESTS = (
    """\
CREATE TABLE veln_hook.request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project text NOT NULL,
    version text NOT NULL,
    files text NOT NULL CHECK (octet_length(files) <= 1000000),
    sha256s text[] NOT NULL CHECK (array_length(sha256s, 1) BETWEEN 1 AND 1000),
    index_url text NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    created_at bigint NOT NULL,
    login text NOT NULL,
    refused_at bigint,
    refused_by text,
    refusal text
)""",
    """\
CREATE FUNCTION veln_hook.add_request(project text, version text, files text, index_url text, reason text,
    author text, created_at bigint, machine text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    number bigint;
    sha256s text[];
BEGIN
    -- Out of the files themselves: who may not grant them must not be somebody's own word.
    SELECT array_agg(each ->> 1) INTO sha256s FROM jsonb_array_elements(files::jsonb) AS each
        WHERE jsonb_array_length(each) = 2 AND each ->> 1 ~ '^[0-9a-f]{64}$';
    IF coalesce(array_length(sha256s, 1), 0) <> jsonb_array_length(files::jsonb) THEN
        RAISE EXCEPTION 'the files of a request are named by their hashes';
    END IF;
    INSERT INTO request (project, version, files, sha256s, index_url, reason, author, created_at, login)
        VALUES (project, version, files, sha256s, index_url, reason, author, created_at, session_user)
        RETURNING id INTO number;
    PERFORM append_row(md5(clock_timestamp()::text || random()::text)::uuid, micros(), 'hold', 'approval',
        project, version, '', '', index_url,
        format('request %s: %s', number, reason), NULL, NULL, author, '[]', identity(machine));
    RETURN number;
END $$""",
    """\
CREATE FUNCTION veln_hook.refuse_request(number bigint, who text, why text, machine text)
    RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
DECLARE
    ended request;
BEGIN
    UPDATE request SET refused_at = micros(), refused_by = session_user, refusal = why
        WHERE id = number AND refused_at IS NULL RETURNING * INTO ended;
    IF ended.id IS NULL THEN
        RETURN false;
    END IF;
    PERFORM append_row(md5(clock_timestamp()::text || random()::text)::uuid, micros(), 'hold', 'approval',
        ended.project, ended.version, '', '', ended.index_url, format('request %s refused: %s', number, why),
        NULL, NULL, who, '[]', identity(machine));
    RETURN true;
END $$""",
    # The second pair of eyes must not be the first one.
    """\
CREATE FUNCTION veln_hook.not_by_who_asked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = veln_hook, pg_catalog, pg_temp AS $$
BEGIN
    -- By the hash alone: a name can be spelled in more than one way.
    IF EXISTS (SELECT FROM request AS r WHERE r.login = session_user AND r.refused_at IS NULL
        AND NEW.sha256 = ANY (r.sha256s)) THEN
        RAISE EXCEPTION 'who asked for an approval can not give it' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$""",
    """\
CREATE TRIGGER not_by_who_asked BEFORE INSERT ON veln_hook.approval
    FOR EACH ROW EXECUTE FUNCTION veln_hook.not_by_who_asked()""",
    """\
REVOKE ALL ON FUNCTION veln_hook.add_request, veln_hook.refuse_request, veln_hook.not_by_who_asked
    FROM PUBLIC""",
    "GRANT SELECT ON veln_hook.request TO veln_hook_machine",
    "GRANT EXECUTE ON FUNCTION veln_hook.add_request TO veln_hook_machine",
    "GRANT EXECUTE ON FUNCTION veln_hook.refuse_request TO veln_hook_approver",
)
"""The part of version 1 that is about requests, and that nobody grants their own."""
