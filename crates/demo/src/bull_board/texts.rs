//! What the background of a web shop does all day.

use jobwatch_core::model::Level::{Debug, Error, Info, Warn};

use crate::world::templates::JobTemplate;

pub(crate) const JOBS: &[JobTemplate] = &[
    JobTemplate {
        name: "send",
        queue: "{email}",
        prefix: "",
        digits: 0,
        seconds: (5, 20),
        attempts: 3,
        stages: &[],
        lines: &[
            (Info, "rendered template order-confirmation in {ms} ms"),
            (Debug, "250 2.1.0 Sender OK"),
            (Info, "handed {subject} to smtp-2"),
        ],
        errors: &[(
            "SMTP 550: mailbox unavailable",
            "Error: SMTP 550: mailbox unavailable\n    at SMTPConnection._formatError (/app/node_modules/nodemailer/lib/smtp-connection/index.js:809:19)\n    at async EmailWorker.send (/app/workers/email.js:41:9)",
        )],
        subjects: &["ada@example.org", "grace@example.org", "linus@example.org"],
    },
    JobTemplate {
        name: "transcode",
        queue: "video",
        prefix: "",
        digits: 0,
        seconds: (40, 220),
        attempts: 2,
        stages: &[],
        lines: &[
            (Info, "frame={n}0 fps=48 q=28.0 size={n}kB speed=1.9x"),
            (Info, "segment {n} of {subject} written"),
            (Warn, "\u{1b}[33mnon-monotonous DTS in output stream 0:1\u{1b}[0m"),
            (Debug, "keyframe at {ms} ms"),
        ],
        errors: &[(
            "ffmpeg exited with code 1: Invalid data found when processing input",
            "Error: ffmpeg exited with code 1: Invalid data found when processing input\n    at ChildProcess.<anonymous> (/app/node_modules/fluent-ffmpeg/lib/processor.js:182:22)\n    at ChildProcess.emit (node:events:519:28)",
        )],
        subjects: &["launch-keynote.mov", "tutorial-07.mp4", "drone-coast.mp4"],
    },
    JobTemplate {
        name: "generate-invoice",
        queue: "invoices",
        prefix: "",
        digits: 0,
        seconds: (6, 30),
        attempts: 3,
        stages: &[],
        lines: &[
            (Info, "invoice {subject}: {n} positions"),
            (Info, "PDF rendered in {ms} ms"),
            (Warn, "customer has no VAT id, using the consumer rate"),
        ],
        errors: &[(
            "Tax service answered 503",
            "HttpError: Tax service answered 503\n    at TaxClient.rate (/app/lib/tax.js:77:11)\n    at async InvoiceWorker.process (/app/workers/invoice.js:33:18)",
        )],
        subjects: &["2026-10417", "2026-10418", "2026-10419"],
    },
    JobTemplate {
        name: "reindex",
        queue: "search-index",
        prefix: "",
        digits: 0,
        seconds: (15, 80),
        attempts: 1,
        stages: &[],
        lines: &[
            (Info, "bulk {n}: 1000 documents in {ms} ms"),
            (Error, "\u{1b}[31mdocument {n} rejected: mapper_parsing_exception\u{1b}[0m"),
            (Debug, "refresh interval set to -1"),
        ],
        errors: &[(
            "cluster_block_exception: index read-only / allow delete (flood stage)",
            "ResponseError: cluster_block_exception: index read-only / allow delete (flood stage)\n    at SniffingTransport.request (/app/node_modules/@elastic/transport/lib/Transport.js:540:17)",
        )],
        subjects: &["products-v8", "articles-v3"],
    },
];
