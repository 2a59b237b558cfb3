use super::*;
use crate::model::{JobState, Source};
use crate::notify::family;

/// Error texts as programs write them, and the line that a person would pick.
const PICKED: &[(&str, &str, &str)] = &[
    (
        "Python",
        "Traceback (most recent call last):\n  File \"/app/job.py\", line 7, in run\n    total(order)\n  File \"/app/job.py\", line 3, in total\n    raise ValueError(\"price is negative\")\nValueError: price is negative\n",
        "ValueError: price is negative",
    ),
    (
        "Python, chained",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    d['sku']\n    ~^^^^^^^\nKeyError: 'sku'\n\nThe above exception was the direct cause of the following exception:\n\nTraceback (most recent call last):\n  File \"a.py\", line 9, in <module>\n    f()\nRuntimeError: order 7 has no sku\n",
        "RuntimeError: order 7 has no sku",
    ),
    (
        "Python, a message of several lines",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    x\nsqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection refused\n\tIs the server running?\n\n(Background on this error at: https://sqlalche.me/e/20/e3q8)",
        "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection refused",
    ),
    (
        "Python, a message that begins with a blank line",
        "Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\nValueError: \n  the table is empty\n  really",
        "ValueError: the table is empty",
    ),
    (
        "Python, a syntax error",
        "  File \"/app/y.py\", line 3\n    def f(\n         ^\nSyntaxError: '(' was never closed",
        "SyntaxError: '(' was never closed",
    ),
    (
        "Python, an exception without a message, behind a prefix",
        "job 7: Traceback (most recent call last):\n  File \"a.py\", line 1, in <module>\n    assert x\nAssertionError",
        "AssertionError",
    ),
    (
        "Python, a group of one",
        "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 3, in main\n  |     async with asyncio.TaskGroup() as tg:\n  | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n    |   File \"a.py\", line 7, in work\n    |     raise ValueError(\"price is negative\")\n    | ValueError: price is negative\n    +------------------------------------\n",
        "ValueError: price is negative",
    ),
    (
        "Python, a group in a group",
        "  + Exception Group Traceback (most recent call last):\n  |   File \"a.py\", line 3, in main\n  | ExceptionGroup: outer (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ExceptionGroup: inner (1 sub-exception)\n    +-+---------------- 1 ----------------\n      | TypeError: not a number\n      +------------------------------------\n    +---------------- 2 ----------------\n    | KeyError: 'sku'\n    +------------------------------------\n",
        "TypeError: not a number (+1 more)",
    ),
    (
        "Python, line breaks written as two characters",
        "Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1\\n    x\\nKeyError: 'sku'",
        "KeyError: 'sku'",
    ),
    (
        "Ruby of old",
        "Traceback (most recent call last):\n\t1: from x.rb:5:in `<main>'\nx.rb:3:in `foo': boom (RuntimeError)",
        "x.rb:3:in `foo': boom (RuntimeError)",
    ),
    (
        "Node",
        "Error: connect ECONNREFUSED 127.0.0.1:5432\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1555:16) {\n  errno: -111,\n  code: 'ECONNREFUSED'\n}",
        "Error: connect ECONNREFUSED 127.0.0.1:5432",
    ),
    (
        "Node, with a cause",
        "TypeError: fetch failed\n    at node:internal/deps/undici/undici:12500:13\n    at async run (/app/a.js:3:5) {\n  [cause]: Error: getaddrinfo ENOTFOUND db\n      at GetAddrInfoReqWrap.onlookup (node:dns:107:26) {\n    errno: -3008\n  }\n}",
        "TypeError: fetch failed: getaddrinfo ENOTFOUND db",
    ),
    (
        "Node, a cause of a cause",
        "Error: order 7 not saved\n    at a (/x.js:1:1) {\n  [cause]: Error: transaction failed\n      at b (/x.js:2:1) {\n    [cause]: Error: disk full\n        at c (/x.js:3:1)\n  }\n}",
        "Error: order 7 not saved: disk full",
    ),
    (
        "Node, several errors and no message",
        "AggregateError [ECONNREFUSED]: \n    at internalConnectMultiple (node:net:1118:18) {\n  code: 'ECONNREFUSED',\n  [errors]: [\n    Error: connect ECONNREFUSED ::1:5432\n        at x (node:net:1:1)\n  ]\n}",
        "AggregateError [ECONNREFUSED]: connect ECONNREFUSED ::1:5432",
    ),
    (
        "Node, uncaught",
        "/app/index.js:10\n    throw new TypeError(\"boom\");\n    ^\n\nTypeError: boom\n    at Object.<anonymous> (/app/index.js:10:11)\n\nNode.js v22.1.0",
        "TypeError: boom",
    ),
    (
        "Node, a message of two lines",
        "Error: ENOSPC: no space left\nwhile writing /tmp/a\n    at write (/x.js:1:1)",
        "Error: ENOSPC: no space left",
    ),
    (
        "Prisma",
        "\nInvalid `prisma.user.create()` invocation:\n\n\nUnique constraint failed on the fields: (`email`)",
        "Unique constraint failed on the fields: (`email`)",
    ),
    (
        "Prisma, with the place in the source and a stack",
        "PrismaClientKnownRequestError: \nInvalid `this.prisma.job.update()` invocation in\n/app/src/jobs.ts:42:30\n\n  39 \n  40   async finish(id) {\n\u{2192} 42     await this.prisma.job.update(\nCan't reach database server at `db:5432`\n\nPlease make sure your database server is running at `db:5432`.\n    at Ui (/app/node_modules/x.js:1:1)",
        "Can't reach database server at `db:5432`",
    ),
    (
        "Prisma, with the arguments",
        "Invalid `prisma.user.create()` invocation:\n\n{\n  data: {\n    email: undefined,\n+   name: String\n  }\n}\n\nArgument `name` is missing.",
        "Argument `name` is missing.",
    ),
    (
        "Go",
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:8 +0x1d\nexit status 2",
        "panic: runtime error: index out of range [5] with length 3",
    ),
    (
        "Go, after lines of a log and panicking again",
        "2026/11/27 10:00:00 starting\npanic: order 7 is locked [recovered]\n\tpanic: order 7 is locked\n\ngoroutine 34 [running]:\nmain.f(0x1)",
        "panic: order 7 is locked",
    ),
    (
        "Go, out of the runtime",
        "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()",
        "fatal error: all goroutines are asleep - deadlock!",
    ),
    (
        "Java",
        "Exception in thread \"main\" java.lang.IllegalStateException: Could not process\n\tat com.x.Main.main(Main.java:5)\nCaused by: java.io.UncheckedIOException: storage\n\tat com.x.S.f(S.java:9)\n\t... 1 more\nCaused by: java.sql.SQLException: Connection refused\n\tat com.x.Db.open(Db.java:9)\n\tSuppressed: java.lang.Exception: close\n\t\tat com.x.Db.close(Db.java:3)\n\tCaused by: java.lang.Error: unrelated\n\t... 3 more",
        "java.sql.SQLException: Connection refused",
    ),
    (
        "Java, without a cause",
        "Exception in thread \"pool-1-thread-3\" java.lang.IllegalArgumentException: price is negative\n\tat com.x.Main.main(Main.java:5)",
        "java.lang.IllegalArgumentException: price is negative",
    ),
    (
        "Java, without a message",
        "java.lang.RuntimeException: outer\n\tat a.B.c(B.java:1)\nCaused by: java.lang.NullPointerException\n\tat com.x.Order.total(Order.java:17)",
        "java.lang.NullPointerException at com.x.Order.total(Order.java:17)",
    ),
    (
        "Rust",
        "thread 'main' panicked at src/main.rs:4:5:\nindex out of bounds: the len is 3 but the index is 5\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace",
        "index out of bounds: the len is 3 but the index is 5",
    ),
    (
        "Rust of today, with the thread's id and two sides",
        "\nthread 'main' (4711) panicked at src/main.rs:4:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with",
        "assertion `left == right` failed: left: 1, right: 2",
    ),
    ("Rust of old", "thread 'worker' panicked at 'disk full', src/a.rs:7:9", "disk full"),
    (
        "Rust, a list of causes",
        "Error: could not load the settings\n\nCaused by:\n    0: reading settings.toml\n    1: No such file or directory (os error 2)\n\nStack backtrace:\n   0: anyhow::error",
        "Error: could not load the settings: No such file or directory (os error 2)",
    ),
    (
        "Rust, a numbered list",
        "Error: \n   0: could not load\n   1: permission denied\n\nLocation:\n   src/main.rs:3",
        "could not load: permission denied",
    ),
    (
        ".NET",
        "Unhandled exception. System.InvalidOperationException: Could not process\n ---> System.Net.Sockets.SocketException (111): Connection refused\n   at System.Net.Sockets.Socket.Connect(String host)\n   --- End of inner exception stack trace ---\n   at Program.Main() in /app/Program.cs:line 5",
        "System.Net.Sockets.SocketException (111): Connection refused",
    ),
    (
        ".NET, several at once",
        "System.AggregateException: One or more errors occurred. (disk full)\n ---> System.IO.IOException: disk full\n   at A.B()\n   --- End of inner exception stack trace ---\n ---> (Inner Exception #1) System.Exception: other<---\n",
        "System.IO.IOException: disk full",
    ),
    (
        ".NET of old, on one line",
        "System.Exception: a ---> System.Exception: b ---> System.TimeoutException: c took too long",
        "System.TimeoutException: c took too long",
    ),
    (
        "PostgreSQL",
        "ERROR:  duplicate key value violates unique constraint \"users_email_key\"\nDETAIL:  Key (email)=(a@b.c) already exists.",
        "ERROR: duplicate key value violates unique constraint \"users_email_key\"",
    ),
    (
        "PostgreSQL, after what went well",
        "BEGIN\nINSERT 0 1\npsql:seed.sql:3: ERROR:  relation \"orders\" does not exist\nLINE 1: INSERT INTO orders\n",
        "psql:seed.sql:3: ERROR: relation \"orders\" does not exist",
    ),
    (
        "SQL Server",
        "Msg 208, Level 16, State 1, Server db, Line 1\nInvalid object name 'orders'.",
        "Invalid object name 'orders'.",
    ),
    (
        "a shell",
        "+ set -e\n+ cp a b\ncp: cannot stat 'a': No such file or directory\n",
        "cp: cannot stat 'a': No such file or directory",
    ),
    (
        "a shell that says nothing but that it failed",
        "+ set -e\n+ make build\nmake: *** [Makefile:12: build] Error 2\nscript.sh: line 9: exit 2",
        "make: *** [Makefile:12: build] Error 2",
    ),
    (
        "a shell that was told much and said little",
        "+ set -e\n+ ./run-all\nstep three did not go well",
        "step three did not go well",
    ),
    (
        "a shell, after steps that went well",
        "Fetching sources\nUnpacking\ncurl: (6) Could not resolve host: x.example\nDone",
        "curl: (6) Could not resolve host: x.example",
    ),
    (
        "a command that failed",
        "Error: Command failed: pg_dump orders\npg_dump: error: connection to server at \"db\" failed\n\n    at genericNodeError (node:internal/errors:984:15)",
        "pg_dump: error: connection to server at \"db\" failed",
    ),
    (
        "a compiler",
        "a.c: In function 'main':\na.c:3:5: error: expected ';' before '}' token\n    3 | x\n",
        "a.c:3:5: error: expected ';' before '}' token",
    ),
    (
        "a log",
        "2026-11-27 10:00:00 INFO starting\n2026-11-27 10:00:01 INFO connected\n2026-11-27 10:00:02 ERROR queue lost\n",
        "2026-11-27 10:00:02 ERROR queue lost",
    ),
    (
        "a heading and a list",
        "Validation failed:\n - price must be positive\n - sku is missing",
        "Validation failed: price must be positive",
    ),
    (
        "blank lines and escapes",
        "\r\n\u{1b}[31m  \r\n\u{1b}[1;31mdisk\tfull\u{1b}[0m \r\n at x.js",
        "disk full",
    ),
    ("one line", "SMTP 550: mailbox unknown", "SMTP 550: mailbox unknown"),
    (
        "a JSON body",
        r#"{"statusCode":400,"message":["price must be positive","sku is missing"],"error":"Bad Request"}"#,
        "price must be positive; sku is missing",
    ),
    (
        "a JSON body with the reason inside",
        r#"{"error":{"code":403,"message":"The caller has no permission","status":"PERMISSION_DENIED"}}"#,
        "The caller has no permission",
    ),
    (
        "a JSON body by field",
        r#"{"title":"One or more validation errors occurred.","status":400,"errors":{"Price":["must be positive"]}}"#,
        "One or more validation errors occurred: Price: must be positive",
    ),
    (
        "a JSON body of a validation",
        r#"{"detail":[{"loc":["body","price"],"msg":"field required","type":"missing"}]}"#,
        "body.price: field required",
    ),
    (
        "JSON over several lines behind a name",
        "ZodError: [\n  {\n    \"code\": \"invalid_type\",\n    \"path\": [\"price\"],\n    \"message\": \"Required\"\n  }\n]\n    at parse (/x.js:1:1)",
        "ZodError: price: Required",
    ),
    (
        "JSON behind a sentence",
        "Request failed with status code 400: {\"error\":\"invalid_grant\",\"error_description\":\"Token expired\"}",
        "Request failed with status code 400: Token expired",
    ),
    (
        "JSON without words",
        "{\n \"code\": \"P2002\",\n \"meta\": 3\n}",
        r#"{ "code": "P2002", "meta": 3 }"#,
    ),
    ("a text in quotes", r#""Error: boom\n    at x (/y.js:1:1)""#, "Error: boom"),
    (
        "a page of a proxy",
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center><h1>502 Bad Gateway</h1></center></body></html>",
        "502 Bad Gateway",
    ),
    (
        "XML of a store",
        "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
        "The specified key does not exist.",
    ),
    ("nothing", "[object Object]", ""),
    ("nothing, as an error", "Error: [object Object]", ""),
    ("no number in a list", "index out of range [5]", "index out of range [5]"),
    (
        "Elixir",
        "** (RuntimeError) boom\n    (app 0.1.0) lib/x.ex:3: X.f/0",
        "** (RuntimeError) boom",
    ),
    (
        "PHP",
        "PHP Fatal error:  Uncaught Exception: boom in /app/x.php:3\nStack trace:\n#0 {main}\n  thrown in /app/x.php on line 3",
        "PHP Fatal error: Uncaught Exception: boom in /app/x.php:3",
    ),
    (
        "a test",
        "def test_a():\n>       assert 1 == 2\nE       assert 1 == 2\n\ntest_a.py:3: AssertionError",
        "test_a.py:3: AssertionError",
    ),
];

fn job() -> Job {
    Job::new("42", JobState::Failed, Source::Socket, jiff::Timestamp::UNIX_EPOCH)
}

#[test]
fn the_line_that_a_person_would_pick_stands_for_an_error() {
    let mut wrong = String::new();
    for (what, text, picked) in PICKED {
        let line = headline(text);
        if line != *picked {
            wrong += &format!("{what}:\n  {line}\n  {picked}\n");
        }
    }
    assert!(wrong.is_empty(), "got, and wanted:\n{wrong}");
}

#[test]
fn a_headline_is_its_own_headline_and_stays_on_one_line() {
    for (what, text, _) in PICKED {
        let line = headline(text);
        assert_eq!(headline(&line), line, "{what}");
        assert!(!line.contains(['\n', '\t', '\u{1b}']), "{what}");
    }
}

#[test]
fn two_exceptions_with_the_same_heading_are_two_families() {
    let trace = |last: &str| {
        format!("Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n    x\n{last}")
    };
    let (one, other) = (trace("ValueError: price is negative"), trace("KeyError: 'sku'"));
    assert_ne!(family(&one), family(&other));
    assert_eq!(family(&one), family("ValueError: price is negative"));
    let prisma = |why: &str| format!("\nInvalid `prisma.x.y()` invocation:\n\n\n{why}");
    assert_ne!(family(&prisma("Unique constraint failed")), family(&prisma("Server has closed")));
}

#[test]
fn the_stack_explains_an_error_that_says_nothing() {
    let failed = |error: &str, stack: &str| Job {
        error: Some(error.to_owned()),
        stack: Some(stack.to_owned()),
        ..job()
    };
    let stack = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'sku'";
    let explained = |error| explain(&failed(error, stack));
    assert_eq!(explained("[object Object]").as_deref(), Some("KeyError: 'sku'"));
    assert_eq!(explained("Traceback (most recent call last):").as_deref(), Some("KeyError: 'sku'"));
    assert_eq!(explained("disk full").as_deref(), Some("disk full"));
    assert_eq!(explain(&failed("", "")), None);
}

#[test]
fn the_end_of_a_very_long_trace_is_read_too() {
    let frame = "  File \"a.py\", line 1, in f\n    f()\n";
    let text = format!("Traceback (most recent call last):\n{}E: deep", frame.repeat(20_000));
    assert!(text.len() > READ * 4);
    assert_eq!(headline(&text), "E: deep");
}

proptest::proptest! {
    #[test]
    fn any_text_has_a_headline(text in "(\\PC|\n|\t|Traceback \\(most recent call last\\):|Caused by: |    at |panic: |\\{|\\[|\"|---> |  \\| ){0,40}") {
        let line = headline(&text);
        proptest::prop_assert!(!line.contains('\n'));
        let job = Job { error: Some(text), ..job() };
        proptest::prop_assert_eq!(explain(&job).unwrap_or_default(), line);
    }
}
