//! Tasks made of containers.

use jobwatch_core::model::Level::{Debug, Error, Info, Warn};

use crate::world::templates::JobTemplate;

pub(crate) const JOBS: &[JobTemplate] = &[
    JobTemplate {
        name: "etl-orders",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (30, 200),
        attempts: 1,
        stages: &[],
        lines: &[
            (Info, "read batch {n} from s3://warehouse/orders ({ms} ms)"),
            (Info, "\u{1b}[32m✔\u{1b}[0m wrote 500 rows to orders_fact"),
            (Debug, "checkpoint offset={n}000 lag={ms}"),
            (Warn, "slow query: INSERT INTO orders_fact took {ms} ms"),
            (Info, "progress {n} batches, 0 rejected"),
        ],
        errors: &[(
            "ERROR: duplicate key value violates unique constraint \"orders_fact_pkey\"",
            "Traceback (most recent call last):\n  File \"/app/etl/load.py\", line 118, in load_batch\n    cursor.executemany(INSERT, rows)\npsycopg2.errors.UniqueViolation: duplicate key value violates unique constraint \"orders_fact_pkey\"\nDETAIL:  Key (order_id)=(881204) already exists.",
        )],
        subjects: &["2026-11-18", "2026-11-19", "2026-11-20"],
    },
    JobTemplate {
        name: "image-resize",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (12, 70),
        attempts: 1,
        stages: &[],
        lines: &[
            (Info, "resized IMG_{n}.jpg to 1600x1200 in {ms} ms"),
            (Info, "resized IMG_{n}.jpg to 400x300 in {ms} ms"),
            (Debug, "cache hit for profile sRGB"),
            (Warn, "\u{1b}[33mIMG_{n}.jpg has no orientation tag, assuming upright\u{1b}[0m"),
        ],
        errors: &[(
            "OutOfMemoryError: Container killed due to memory usage",
            "fatal error: runtime: out of memory\n\ngoroutine 41 [running]:\nimage/jpeg.(*decoder).processSOS(0xc0001c2000)\n\t/usr/local/go/src/image/jpeg/scan.go:314",
        )],
        subjects: &["album/alps", "album/harbour", "catalogue/spring"],
    },
    JobTemplate {
        name: "nightly-report",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (25, 120),
        attempts: 1,
        stages: &[],
        lines: &[
            (Info, "section {n}: 12 charts rendered in {ms} ms"),
            (Info, "GET /v1/metrics?window=24h 200 {ms}ms"),
            (Warn, "retrying upstream (attempt 2 of 5)"),
            (Error, "\u{1b}[31mupstream answered 502, using yesterday's figures\u{1b}[0m"),
            (Debug, "gc: 14 MB freed"),
        ],
        errors: &[(
            "Error: connect ECONNREFUSED 10.0.12.7:5432",
            "Error: connect ECONNREFUSED 10.0.12.7:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1607:16)\n    at async Report.load (/srv/report/src/load.js:29:18)",
        )],
        subjects: &["sales", "support", "latency"],
    },
    JobTemplate {
        name: "db-migrate",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (8, 35),
        attempts: 1,
        stages: &[],
        lines: &[
            (Info, "applying V{n}__add_index.sql"),
            (Info, "\u{1b}[1mV{n}\u{1b}[0m applied in {ms} ms"),
            (Debug, "acquired advisory lock 72707369"),
        ],
        errors: &[(
            "relation \"customer_address\" does not exist",
            "org.flywaydb.core.internal.command.DbMigrate$FlywayMigrateException: Migration V41__add_index.sql failed\nSQL State  : 42P01\nMessage    : ERROR: relation \"customer_address\" does not exist\nLine       : 3",
        )],
        subjects: &["billing", "catalogue"],
    },
    JobTemplate {
        name: "build-orders",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (20, 60),
        attempts: 1,
        stages: &[],
        lines: &[(Info, crate::world::texts::BUILD)],
        errors: &[(
            "error: could not compile `orders` (bin \"orders\") due to 1 previous error",
            "",
        )],
        subjects: &["orders"],
    },
    JobTemplate {
        name: "gateway-replay",
        queue: "default",
        prefix: "",
        digits: 32,
        seconds: (30, 120),
        attempts: 1,
        stages: &[],
        lines: &[
            (
                Info,
                r#"{"level":"info","msg":"GET /api/orders","status":200,"took_ms":{ms},"request":{"id":"r-{n}","retries":0}}"#,
            ),
            (
                Info,
                "level=info msg=\"POST /api/orders\" status=201 took={ms}ms user=ada@example.org",
            ),
            (Debug, r#"{"level":"debug","msg":"cache hit","key":"orders:{n}","took_ms":{ms}}"#),
            (
                Warn,
                r#"{"level":"warn","msg":"upstream slow","upstream":"http://billing.internal/charge","took_ms":{ms}}"#,
            ),
            (
                Error,
                "TypeError: cannot read properties of undefined (reading 'total')\n    at charge (/app/billing.js:41:17)\n    at async handle (/app/server.js:88:5)",
            ),
        ],
        errors: &[("upstream billing.internal closed the connection", "")],
        subjects: &["2026-11-20"],
    },
];
