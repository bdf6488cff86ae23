-- A store of version 1 in which some of everything has happened, as `sqlite3 FILE .dump` writes it. Never changed: files like it exist.
PRAGMA application_id = 1113150020;
PRAGMA user_version = 1;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO settings VALUES('counters','{"sequence":11,"environment":4,"queue":4,"instance":2}');
CREATE TABLE environments (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    switch INTEGER NOT NULL,
    life INTEGER NOT NULL,
    spec TEXT NOT NULL,             -- JSON
    document TEXT NOT NULL          -- the server's words
) STRICT;
INSERT INTO environments VALUES(1,'ce0',1,0,0,'{"platform":"ec2","capacity":{"shared":{"vcpus_max":null}}}','{"environment":"ce0","kind":0}');
INSERT INTO environments VALUES(2,'gone',2,1,2,'{"platform":"ec2","capacity":{"shared":{"vcpus_max":2}}}','{"environment":"gone","kind":1}');
INSERT INTO environments VALUES(3,'instances',1,0,0,'{"platform":"ec2","capacity":{"instances":{"types":["m5.xlarge","m5.large"],"choice":"ordered","vcpus_min":2,"vcpus_desired":4,"vcpus_max":6,"idle_delay":60000}}}','{"environment":"instances","kind":4}');
CREATE TABLE instances (
    id INTEGER PRIMARY KEY,
    environment INTEGER NOT NULL REFERENCES environments (id),
    instance_type TEXT NOT NULL,
    capacity TEXT NOT NULL,         -- JSON
    vcpus INTEGER NOT NULL,         -- whole ones, of the capacity
    gpus INTEGER NOT NULL,          -- bit i for GPU i of the host
    last_used_at INTEGER NOT NULL
) STRICT;
INSERT INTO instances VALUES(1,3,'m5.xlarge','{"vcpus":4000,"memory":16352,"gpus":0}',4,0,1001000);
CREATE TABLE queues (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    switch INTEGER NOT NULL,
    life INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    environments TEXT NOT NULL,     -- JSON: ids in the order to try
    document TEXT NOT NULL
) STRICT;
INSERT INTO queues VALUES(1,'q0',1,0,0,1,'[1]','{"queue":"q0"}');
INSERT INTO queues VALUES(2,'gone',2,1,2,1,'[2]','{"queue":"gone"}');
INSERT INTO queues VALUES(3,'q1',1,0,0,1,'[3,1]','{"queue":"q1"}');
CREATE TABLE definitions (
    name TEXT NOT NULL,
    revision INTEGER NOT NULL,
    is_active INTEGER NOT NULL,
    document TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    deregistered_at INTEGER,
    PRIMARY KEY (name, revision DESC)
) STRICT, WITHOUT ROWID;
INSERT INTO definitions VALUES('d',2,0,'{"definition":"d"}',1001000,1001000);
INSERT INTO definitions VALUES('d',1,1,'{"definition":"d"}',1000000,NULL);
CREATE TABLE profiles (
    id INTEGER PRIMARY KEY,
    content TEXT NOT NULL UNIQUE    -- JSON
) STRICT;
INSERT INTO profiles VALUES(1,'{"platform":"ec2","resources":{"vcpus":1000,"memory":512,"gpus":0},"retry":{"attempts":1,"rules":[]},"timeout":null,"stop_timeout":30000}');
INSERT INTO profiles VALUES(2,'{"platform":"ec2","resources":{"vcpus":1000,"memory":512,"gpus":0},"retry":{"attempts":2,"rules":[]},"timeout":null,"stop_timeout":30000}');
INSERT INTO profiles VALUES(3,'{"platform":"ec2","resources":{"vcpus":1000,"memory":512,"gpus":0},"retry":{"attempts":1,"rules":[]},"timeout":60000,"stop_timeout":30000}');
INSERT INTO profiles VALUES(4,'{"platform":"ec2","resources":{"vcpus":500,"memory":512,"gpus":0},"retry":{"attempts":1,"rules":[]},"timeout":null,"stop_timeout":30000}');
INSERT INTO profiles VALUES(5,'{"platform":"ec2","resources":{"vcpus":500,"memory":512,"gpus":0},"retry":{"attempts":2,"rules":[]},"timeout":null,"stop_timeout":30000}');
INSERT INTO profiles VALUES(6,'{"platform":"ec2","resources":{"vcpus":5000,"memory":512,"gpus":0},"retry":{"attempts":1,"rules":[]},"timeout":null,"stop_timeout":30000}');
INSERT INTO profiles VALUES(7,'{"platform":"ec2","resources":{"vcpus":250,"memory":512,"gpus":0},"retry":{"attempts":1,"rules":[]},"timeout":null,"stop_timeout":30000}');
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY,   -- the order of submission
    id BLOB NOT NULL UNIQUE,        -- 16 bytes
    queue INTEGER NOT NULL REFERENCES queues (id),
    status INTEGER NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    revision INTEGER NOT NULL,
    profile INTEGER NOT NULL REFERENCES profiles (id),
    created_at INTEGER NOT NULL,
    started_at INTEGER,             -- of the present or last attempt
    stopped_at INTEGER,             -- set once it has ended
    exit_code INTEGER,              -- of the last attempt, as is the reason
    reason TEXT,
    status_reason TEXT,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    is_terminated INTEGER NOT NULL DEFAULT 0,
    attempts_ended INTEGER NOT NULL DEFAULT 0,
    environment INTEGER,            -- of the present attempt, as are the next three; NULL without one
    instance INTEGER,
    gpus INTEGER,
    stopping TEXT,                  -- JSON: why it was asked to stop
    array_size INTEGER,             -- arrays only, as are the next two
    array_counts TEXT,              -- JSON: how many children are in each state
    array_updated_at INTEGER
) STRICT;
INSERT INTO jobs VALUES(1,X'0000000000014000800000009e3779b9',2,5,'job0','d',1,1,1000000,1000000,1001000,0,NULL,'Essential container in task exited',0,0,1,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO jobs VALUES(2,X'0000000000004000800000013c6ef372',1,6,'job1','d',1,2,1001000,1001000,1001000,137,'OutOfMemoryError: Container killed due to memory usage','Essential container in task exited',0,0,2,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO jobs VALUES(3,X'000000000000400080000001daa66d2b',1,4,'job2','d',1,3,1001000,1001000,NULL,NULL,NULL,NULL,0,1,0,1,NULL,0,'{"terminated":"enough"}',NULL,NULL,NULL);
INSERT INTO jobs VALUES(4,X'00000000000040008000000278dde6e4',3,4,'job3','d',1,1,1001000,1001000,NULL,NULL,NULL,NULL,1,0,0,3,1,0,NULL,NULL,NULL,NULL);
INSERT INTO jobs VALUES(5,X'0000000000004000800000031715609d',3,6,'job4','d',1,4,1001000,NULL,1001000,NULL,NULL,'Array Child Job failed',0,0,0,NULL,NULL,NULL,NULL,2,'{"pending":0,"runnable":0,"starting":0,"running":0,"succeeded":1,"failed":1}',1795464866034);
INSERT INTO jobs VALUES(6,X'000000000000400080000003b54cda56',1,1,'job5','d',1,5,1001000,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,6,'{"pending":0,"runnable":3,"starting":1,"running":0,"succeeded":1,"failed":1}',1795464866034);
INSERT INTO jobs VALUES(7,X'0000000000004000800000045384540f',1,1,'job6','d',1,1,1001000,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,6,'{"pending":5,"runnable":0,"starting":0,"running":0,"succeeded":0,"failed":1}',1795464866034);
INSERT INTO jobs VALUES(8,X'000000000001400080000004f1bbcdc8',1,1,'job7','d',1,1,1001000,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO jobs VALUES(9,X'0000000000004000800000058ff34781',1,2,'job8','d',1,6,1001000,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO jobs VALUES(10,X'0000000000004000800000062e2ac13a',1,2,'job9','d',1,7,1001000,NULL,NULL,NULL,NULL,NULL,0,0,0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE job_contents (
    sequence INTEGER PRIMARY KEY REFERENCES jobs (sequence),
    launch TEXT NOT NULL,           -- JSON: how to run it
    document TEXT NOT NULL          -- the server's words
) STRICT;
INSERT INTO job_contents VALUES(1,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","0"],"environment":[{"name":"NUMBER","value":"0"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":0}');
INSERT INTO job_contents VALUES(2,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","1"],"environment":[{"name":"NUMBER","value":"1"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":1}');
INSERT INTO job_contents VALUES(3,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","2"],"environment":[{"name":"NUMBER","value":"2"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":2}');
INSERT INTO job_contents VALUES(4,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","3"],"environment":[{"name":"NUMBER","value":"3"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":3}');
INSERT INTO job_contents VALUES(5,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","4"],"environment":[{"name":"NUMBER","value":"4"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":4}');
INSERT INTO job_contents VALUES(6,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","5"],"environment":[{"name":"NUMBER","value":"5"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":5}');
INSERT INTO job_contents VALUES(7,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","6"],"environment":[{"name":"NUMBER","value":"6"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":6}');
INSERT INTO job_contents VALUES(8,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","7"],"environment":[{"name":"NUMBER","value":"7"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":7}');
INSERT INTO job_contents VALUES(9,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","8"],"environment":[{"name":"NUMBER","value":"8"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":8}');
INSERT INTO job_contents VALUES(10,'{"runner":{"process":{"working_directory":null,"ulimits":[]}},"command":["echo","9"],"environment":[{"name":"NUMBER","value":"9"}],"resources":{"vcpus":1000,"memory":512,"gpus":0},"log":null,"stop_timeout":30000}','{"number":9}');
CREATE TABLE dependencies (
    job BLOB NOT NULL,              -- who waits: the id
    position INTEGER NOT NULL,      -- from 0, as submitted
    on_job BLOB NOT NULL,           -- for whom
    on_child INTEGER,               -- NULL: for all of it
    PRIMARY KEY (job, position)
) STRICT, WITHOUT ROWID;
INSERT INTO dependencies VALUES(X'000000000001400080000004f1bbcdc8',0,X'000000000000400080000003b54cda56',3);
INSERT INTO dependencies VALUES(X'000000000001400080000004f1bbcdc8',1,X'00000000000040008000000278dde6e4',NULL);
CREATE TABLE arrays (
    job BLOB PRIMARY KEY,
    content TEXT NOT NULL           -- JSON
) STRICT, WITHOUT ROWID;
INSERT INTO arrays VALUES(X'0000000000004000800000031715609d','{"size":2,"gate":[],"pairings":[],"is_sequential":false,"waiting":[],"runnable":[],"executions":{},"succeeded":[{"first":0,"last":0}],"failed":[{"first":1,"last":1}],"unstarted":[],"is_cancelled":false,"is_terminated":false}');
INSERT INTO arrays VALUES(X'000000000000400080000003b54cda56','{"size":6,"gate":[],"pairings":[],"is_sequential":false,"waiting":[],"runnable":[{"first":2,"last":4}],"executions":{"1":{"attempts_ended":1,"is_cancelled":false,"attempt":{"placement":{"environment":1,"instance":null,"gpus":0},"started_at":null,"stopping":null}}},"succeeded":[{"first":0,"last":0}],"failed":[{"first":5,"last":5}],"unstarted":[],"is_cancelled":false,"is_terminated":false}');
INSERT INTO arrays VALUES(X'0000000000004000800000045384540f','{"size":6,"gate":[{"on":"00000000-0000-4000-8000-000278dde6e4"}],"pairings":[{"on":"00000000-0000-4000-8000-0003b54cda56","satisfied":[{"first":0,"last":0}],"is_open":true}],"is_sequential":false,"waiting":[{"first":0,"last":4}],"runnable":[],"executions":{},"succeeded":[],"failed":[{"first":5,"last":5}],"unstarted":[{"children":[{"first":5,"last":5}],"status_reason":"Dependent Job failed","at":1001000}],"is_cancelled":false,"is_terminated":false}');
CREATE TABLE children (
    job BLOB NOT NULL,
    child INTEGER NOT NULL,
    status INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER,
    exit_code INTEGER,
    reason TEXT,
    status_reason TEXT,
    is_cancelled INTEGER NOT NULL DEFAULT 0,
    is_terminated INTEGER NOT NULL DEFAULT 0,
    attempts_ended INTEGER NOT NULL DEFAULT 0,
    environment INTEGER,
    instance INTEGER,
    gpus INTEGER,
    PRIMARY KEY (job, child)
) STRICT, WITHOUT ROWID;
INSERT INTO children VALUES(X'0000000000004000800000031715609d',0,5,NULL,1001000,0,NULL,'Essential container in task exited',0,0,1,NULL,NULL,NULL);
INSERT INTO children VALUES(X'0000000000004000800000031715609d',1,6,NULL,1001000,1,NULL,'Essential container in task exited',0,0,1,NULL,NULL,NULL);
INSERT INTO children VALUES(X'000000000000400080000003b54cda56',0,5,1001000,1001000,0,NULL,'Essential container in task exited',0,0,1,NULL,NULL,NULL);
INSERT INTO children VALUES(X'000000000000400080000003b54cda56',1,3,NULL,NULL,1,NULL,'Essential container in task exited',0,0,1,1,NULL,0);
INSERT INTO children VALUES(X'000000000000400080000003b54cda56',5,6,NULL,1001000,NULL,NULL,'enough',1,0,0,NULL,NULL,NULL);
CREATE TABLE attempts (
    job BLOB NOT NULL,
    child INTEGER NOT NULL,         -- -1 for a single job
    attempt INTEGER NOT NULL,       -- from 1
    environment INTEGER NOT NULL,
    instance INTEGER,
    gpus INTEGER NOT NULL,
    started_at INTEGER,
    stopped_at INTEGER NOT NULL,
    exit_code INTEGER,
    reason TEXT,
    status_reason TEXT NOT NULL,
    PRIMARY KEY (job, child, attempt)
) STRICT, WITHOUT ROWID;
INSERT INTO attempts VALUES(X'0000000000004000800000013c6ef372',-1,1,1,NULL,0,1001000,1001000,1,NULL,'Essential container in task exited');
INSERT INTO attempts VALUES(X'0000000000004000800000013c6ef372',-1,2,1,NULL,0,1001000,1001000,137,'OutOfMemoryError: Container killed due to memory usage','Essential container in task exited');
INSERT INTO attempts VALUES(X'0000000000004000800000031715609d',0,1,3,1,0,NULL,1001000,0,NULL,'Essential container in task exited');
INSERT INTO attempts VALUES(X'0000000000004000800000031715609d',1,1,3,1,0,NULL,1001000,1,NULL,'Essential container in task exited');
INSERT INTO attempts VALUES(X'000000000000400080000003b54cda56',0,1,1,NULL,0,1001000,1001000,0,NULL,'Essential container in task exited');
INSERT INTO attempts VALUES(X'000000000000400080000003b54cda56',1,1,1,NULL,0,NULL,1001000,1,NULL,'Essential container in task exited');
INSERT INTO attempts VALUES(X'0000000000014000800000009e3779b9',-1,1,2,NULL,0,1000000,1001000,0,NULL,'Essential container in task exited');
CREATE TABLE tags (
    resource TEXT NOT NULL,         -- the ARN without partition, region and account: `job-queue/NAME`
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (resource, key)
) STRICT, WITHOUT ROWID;
INSERT INTO tags VALUES('compute-environment/ce0','of','ce0');
INSERT INTO tags VALUES('compute-environment/instances','of','instances');
INSERT INTO tags VALUES('job-definition/d:1','of','d');
INSERT INTO tags VALUES('job-definition/d:2','of','d');
INSERT INTO tags VALUES('job-queue/q0','of','q0');
INSERT INTO tags VALUES('job-queue/q1','a','b');
INSERT INTO tags VALUES('job/00000000-0000-4000-8000-000278dde6e4','number','3');
INSERT INTO tags VALUES('job/00000000-0000-4000-8000-00045384540f','number','6');
INSERT INTO tags VALUES('job/00000000-0000-4000-8000-00062e2ac13a','number','9');
INSERT INTO tags VALUES('job/00000000-0001-4000-8000-00009e3779b9','number','0');
CREATE TABLE journal (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    principal TEXT,                 -- an ARN; NULL for engines' reports
    input TEXT NOT NULL             -- JSON
) STRICT;
INSERT INTO journal VALUES(1,1000000,'arn:aws:iam::000000000000:root','{"command":{"create_environment":{"name":"ce0","switch":"enabled","spec":{"platform":"ec2","capacity":{"shared":{"vcpus_max":null}}},"document":"{\"environment\":\"ce0\",\"kind\":0}","tags":[["of","ce0"]]}}}');
INSERT INTO journal VALUES(2,1000000,'arn:aws:iam::000000000000:root','{"command":{"create_queue":{"name":"q0","switch":"enabled","priority":1,"environments":["ce0"],"document":"{\"queue\":\"q0\"}","tags":[["of","q0"]]}}}');
INSERT INTO journal VALUES(3,1000000,'arn:aws:iam::000000000000:root','{"command":{"register_definition":{"name":"d","document":"{\"definition\":\"d\"}","tags":[["of","d"]]}}}');
INSERT INTO journal VALUES(4,1000000,'arn:aws:iam::000000000000:root','{"command":{"create_environment":{"name":"gone","switch":"enabled","spec":{"platform":"ec2","capacity":{"shared":{"vcpus_max":2}}},"document":"{\"environment\":\"gone\",\"kind\":1}","tags":[["of","gone"]]}}}');
INSERT INTO journal VALUES(5,1000000,'arn:aws:iam::000000000000:root','{"command":{"create_queue":{"name":"gone","switch":"enabled","priority":1,"environments":["gone"],"document":"{\"queue\":\"gone\"}","tags":[["of","gone"]]}}}');
INSERT INTO journal VALUES(6,1000000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0001-4000-8000-00009e3779b9"}}');
INSERT INTO journal VALUES(7,1000000,NULL,'{"report":{"attempt":"00000000-0001-4000-8000-00009e3779b9/1","report":{"started":{"at":1000000}}}}');
INSERT INTO journal VALUES(8,1001000,NULL,'{"report":{"attempt":"00000000-0001-4000-8000-00009e3779b9/1","report":{"exited":{"at":1001000,"exit_code":0,"reason":null}}}}');
INSERT INTO journal VALUES(9,1001000,'arn:aws:iam::000000000000:root','{"command":{"update_queue":{"put":{"name":"gone","switch":"disabled","priority":1,"environments":["gone"],"document":"{\"queue\":\"gone\"}","tags":[["of","gone"]]},"version":1}}}');
INSERT INTO journal VALUES(10,1001000,'arn:aws:iam::000000000000:root','{"command":{"delete_queue":"gone"}}');
INSERT INTO journal VALUES(11,1001000,'arn:aws:iam::000000000000:root','{"command":{"update_environment":{"put":{"name":"gone","switch":"disabled","spec":{"platform":"ec2","capacity":{"shared":{"vcpus_max":2}}},"document":"{\"environment\":\"gone\",\"kind\":1}","tags":[["of","gone"]]},"version":1}}}');
INSERT INTO journal VALUES(12,1001000,'arn:aws:iam::000000000000:root','{"command":{"delete_environment":"gone"}}');
INSERT INTO journal VALUES(13,1001000,'arn:aws:iam::000000000000:root','{"command":{"create_environment":{"name":"instances","switch":"enabled","spec":{"platform":"ec2","capacity":{"instances":{"types":["m5.xlarge","m5.large"],"choice":"ordered","vcpus_min":2,"vcpus_desired":4,"vcpus_max":6,"idle_delay":60000}}},"document":"{\"environment\":\"instances\",\"kind\":4}","tags":[["of","instances"]]}}}');
INSERT INTO journal VALUES(14,1001000,'arn:aws:iam::000000000000:root','{"command":{"create_queue":{"name":"q1","switch":"enabled","priority":1,"environments":["instances","ce0"],"document":"{\"queue\":\"q1\"}","tags":[["of","q1"]]}}}');
INSERT INTO journal VALUES(15,1001000,'arn:aws:iam::000000000000:root','{"command":{"register_definition":{"name":"d","document":"{\"definition\":\"d\"}","tags":[["of","d"]]}}}');
INSERT INTO journal VALUES(16,1001000,'arn:aws:iam::000000000000:root','{"command":{"deregister_definition":{"name":"d","revision":2}}}');
INSERT INTO journal VALUES(17,1001000,'arn:aws:iam::000000000000:root','{"command":{"change_tags":{"resource":"job-queue/q1","set":[["a","b"]],"removed":["of"]}}}');
INSERT INTO journal VALUES(18,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-00013c6ef372"}}');
INSERT INTO journal VALUES(19,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00013c6ef372/1","report":{"started":{"at":1001000}}}}');
INSERT INTO journal VALUES(20,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00013c6ef372/1","report":{"exited":{"at":1001000,"exit_code":1,"reason":null}}}}');
INSERT INTO journal VALUES(21,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00013c6ef372/2","report":{"started":{"at":1001000}}}}');
INSERT INTO journal VALUES(22,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00013c6ef372/2","report":{"exited":{"at":1001000,"exit_code":137,"reason":"OutOfMemoryError: Container killed due to memory usage"}}}}');
INSERT INTO journal VALUES(23,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-0001daa66d2b"}}');
INSERT INTO journal VALUES(24,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-0001daa66d2b/1","report":{"started":{"at":1001000}}}}');
INSERT INTO journal VALUES(25,1001000,'arn:aws:iam::000000000000:root','{"command":{"stop_job":{"job":"00000000-0000-4000-8000-0001daa66d2b","kind":"terminate","reason":"enough"}}}');
INSERT INTO journal VALUES(26,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-000278dde6e4"}}');
INSERT INTO journal VALUES(27,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-000278dde6e4/1","report":{"started":{"at":1001000}}}}');
INSERT INTO journal VALUES(28,1001000,'arn:aws:iam::000000000000:root','{"command":{"stop_job":{"job":"00000000-0000-4000-8000-000278dde6e4","kind":"cancel","reason":"enough"}}}');
INSERT INTO journal VALUES(29,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-00031715609d"}}');
INSERT INTO journal VALUES(30,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00031715609d:0/1","report":{"exited":{"at":1001000,"exit_code":0,"reason":null}}}}');
INSERT INTO journal VALUES(31,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-00031715609d:1/1","report":{"exited":{"at":1001000,"exit_code":1,"reason":null}}}}');
INSERT INTO journal VALUES(32,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-0003b54cda56"}}');
INSERT INTO journal VALUES(33,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-0003b54cda56:0/1","report":{"started":{"at":1001000}}}}');
INSERT INTO journal VALUES(34,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-0003b54cda56:0/1","report":{"exited":{"at":1001000,"exit_code":0,"reason":null}}}}');
INSERT INTO journal VALUES(35,1001000,NULL,'{"report":{"attempt":"00000000-0000-4000-8000-0003b54cda56:1/1","report":{"exited":{"at":1001000,"exit_code":1,"reason":null}}}}');
INSERT INTO journal VALUES(36,1001000,'arn:aws:iam::000000000000:root','{"command":{"stop_job":{"job":"00000000-0000-4000-8000-0003b54cda56:5","kind":"cancel","reason":"enough"}}}');
INSERT INTO journal VALUES(37,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-00045384540f"}}');
INSERT INTO journal VALUES(38,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0001-4000-8000-0004f1bbcdc8"}}');
INSERT INTO journal VALUES(39,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-00058ff34781"}}');
INSERT INTO journal VALUES(40,1001000,'arn:aws:iam::000000000000:root','{"command":{"submit_job":"00000000-0000-4000-8000-00062e2ac13a"}}');
CREATE TABLE probes (
    id INTEGER PRIMARY KEY,
    filler BLOB NOT NULL
) STRICT;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('journal',40);
CREATE UNIQUE INDEX environments_by_name ON environments (name) WHERE life < 2;
CREATE UNIQUE INDEX queues_by_name ON queues (name) WHERE life < 2;
CREATE INDEX jobs_by_status ON jobs (queue, status, sequence);
CREATE INDEX jobs_by_queue ON jobs (queue, sequence);
CREATE INDEX jobs_by_end ON jobs (stopped_at) WHERE stopped_at IS NOT NULL;
COMMIT;
