use super::*;
use jobwatch_core::model::Level;
use proptest::prelude::*;

/// The pieces of a message of one line: text, and look as `letters fg/bg`.
fn line(text: &str) -> Vec<(String, String)> {
    let lines = draw(text, Style::default()).lines;
    assert_eq!(lines.len(), 1, "{lines:?}");
    pieces(&lines[0])
}

fn pieces(spans: &[Span]) -> Vec<(String, String)> {
    let style = |span: &Span| {
        let colours = [&span.fg, &span.bg].map(|c| c.clone().unwrap_or_default()).join("/");
        (span.text.clone(), format!("{}{colours}", span.style))
    };
    spans.iter().map(style).collect()
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// What is seen, by both ways of finding it out.
fn seen(text: &str) -> String {
    let drawn = draw(text, Style::default());
    let lines: Vec<String> = drawn
        .lines
        .iter()
        .map(|line| line.iter().map(|span| span.text.as_str()).collect())
        .collect();
    assert_eq!(lines.join("\n"), plain(text), "{text:?}");
    plain(text).into_owned()
}

#[test]
fn sixteen_colours_256_and_true_colour_are_read() {
    assert_eq!(
        line("\u{1b}[1;31mred\u{1b}[0m \u{1b}[38;5;208mo\u{1b}[48;2;1;2;3mx\u{1b}[m"),
        owned(&[("red", "b1/"), (" ", "/"), ("o", "#ff8700/"), ("x", "#ff8700/#010203")])
    );
    assert_eq!(line("\u{1b}[4;96mu\u{1b}[24mn"), owned(&[("u", "u14/"), ("n", "14/")]));
    assert_eq!(line("\u{1b}[38;5mcut"), owned(&[("cut", "/")]));
}

#[test]
fn what_looks_like_a_rendition_and_is_none_changes_nothing() {
    for (text, style) in [
        ("\u{1b}[>4;2mx", "/"),
        ("\u{1b}[?4mx", "/"),
        ("\u{1b}[?25lx", "/"),
        ("\u{1b}[=1mx", "/"),
        ("\u{1b}[<1mx", "/"),
        ("\u{1b}[1 mx", "/"),
        ("\u{1b}[4;1$mx", "/"),
        ("\u{1b}[3\"qx", "/"),
        ("\u{1b}[1mb\u{1b}[4:3mx", "bu/"),
        ("\u{1b}[4:0mx", "/"),
        ("\u{1b}[4m\u{1b}[4:0mx", "/"),
        ("\u{1b}[4:1mx", "u/"),
        ("\u{1b}[4:5mx", "u/"),
        ("\u{1b}[4:9mx", "/"),
        ("\u{1b}[31m\u{1b}[58:2::255:0:0mx", "1/"),
        ("\u{1b}[31m\u{1b}[58;2;1;4;7mx", "1/"),
        ("\u{1b}[31m\u{1b}[58;5;1;1mx", "b1/"),
        ("\u{1b}[31;59mx", "1/"),
        ("\u{1b}[58:5:3;3mx", "i/"),
        ("\u{1b}[38:2::255:0:0mx", "#ff0000/"),
        ("\u{1b}[38:2:255:0:0mx", "#ff0000/"),
        ("\u{1b}[38:2:1:255:0:0:0:1mx", "#ff0000/"),
        ("\u{1b}[48:5:208mx", "/#ff8700"),
        ("\u{1b}[48:5:3;1mx", "b/3"),
        ("\u{1b}[38:5mx", "/"),
        ("\u{1b}[38;5;300mx", "/"),
        ("\u{1b}[31;38;5;300mx", "1/"),
        ("\u{1b}[38;2;256;0;0;1mx", "b/"),
        ("\u{1b}[38;2;1;2mx", "/"),
        ("\u{1b}[38;3;1;4;7;9mx", "s/"),
        ("\u{1b}[38;9;31mx", "1/"),
        ("\u{1b}[;1mx", "b/"),
        ("\u{1b}[1;mx", "/"),
        ("\u{1b}[1;;4mx", "u/"),
        ("\u{1b}[31;0;4mx", "u/"),
        ("\u{1b}[21mx", "u/"),
        ("\u{1b}[1;2;3;4;7;9;53mx", "bdiusro/"),
        ("\u{1b}[1;2;3;4;7;9;53;22;23;24;27;29;55mx", "/"),
        ("\u{1b}[91;104mx", "9/12"),
        ("\u{1b}[91;104;39;49mx", "/"),
        ("\u{1b}[5;6;8;25;28;51;73;999;65535mx", "/"),
        ("\u{1b}[1m\u{1b}[!px", "/"),
        ("\u{1b}[1m\u{1b}cx", "/"),
        ("\u{1b}[1m\u{1b}7\u{1b}[0;3m\u{1b}8x", "b/"),
        ("\u{9b}31mx", "1/"),
    ] {
        let last = line(text).pop().map(|(_, style)| style);
        assert_eq!(last.as_deref(), Some(style), "{text:?}");
    }
}

#[test]
fn a_line_is_seen_as_a_terminal_shows_it() {
    for (text, shown) in [
        // Movements.
        ("hello\u{1b}[1Cworld", "hello world"),
        ("hello\u{1b}[Cworld", "hello world"),
        ("hello\u{1b}[0Cworld", "hello world"),
        ("a\u{1b}[3aB", "a   B"),
        ("name\u{1b}[20Gok", "name               ok"),
        ("name\u{1b}[20`ok", "name               ok"),
        ("abcdef\u{1b}[3Gx", "abxdef"),
        ("abcdef\u{1b}[Gx", "xbcdef"),
        ("abc\u{1b}[2DX", "aXc"),
        ("abc\u{1b}[99DX", "Xbc"),
        ("abc\u{8}\u{8}X", "aXc"),
        ("a\u{8}\u{8}\u{8}b", "b"),
        ("ab\u{8}", "ab"),
        ("10 %\r20 %\r\n", "20 %"),
        ("a long text\rabc", "abcong text"),
        ("done\r", "done"),
        ("Fetch [=>  ]\r\u{1b}[KFetched", "Fetched"),
        ("\r\u{1b}[2K| one\r\u{1b}[2K/ two\r\u{1b}[2Kdone", "done"),
        ("⠋ wait\r⠙ wait\r\u{1b}[K✔ done", "✔ done"),
        ("abc\u{1b}[2Kdef", "   def"),
        ("abcdef\u{1b}[3D\u{1b}[K", "abc"),
        ("abcdef\u{1b}[3D\u{1b}[1K", "    ef"),
        ("abcdef\u{1b}[4G\u{1b}[1Kx", "   xef"),
        ("abcdef\u{1b}[3G\u{1b}[2P", "abef"),
        ("abcdef\u{1b}[3G\u{1b}[2@", "ab  cdef"),
        ("abcdef\u{1b}[3G\u{1b}[2X", "ab  ef"),
        ("=\u{1b}[5b", "======"),
        ("ab\u{1b}7cd\u{1b}8X", "abXd"),
        ("ab\u{1b}[scd\u{1b}[uX", "abXd"),
        // Tabs.
        ("a\tb", "a\tb"),
        ("a\tb\rXY", "XY      b"),
        ("a\tb\r\tX", "a\tX"),
        ("a\tb\r123456789", "123456789"),
        ("a\tb\r12345", "12345   b"),
        ("a\u{1b}[2Ib", "a\t\tb"),
        ("123456789\u{1b}[ZX", "12345678X"),
        // Wide and combining characters.
        ("日本\r|", "| 本"),
        ("日本\u{1b}[3G|", "日|"),
        ("日本\u{1b}[2G|", " |本"),
        ("e\u{301}x\rE", "Ex"),
        ("ab\u{1b}[De\u{301}", "ae\u{301}"),
        ("ab\rx\u{301}", "x\u{301}b"),
        ("日\t|", "日\t|"),
        // Rows within the message.
        ("one\ntwo\u{1b}[A!", "one!\ntwo"),
        ("one\ntwo\u{1b}[1F\u{1b}[KONE", "ONE\ntwo"),
        ("one\u{1b}[2J\u{1b}[Htwo", "two"),
        ("one\u{1b}Etwo", "one\ntwo"),
        ("one\u{85}two", "one\ntwo"),
        ("one\u{b}two", "one\n   two"),
        ("a\nb\n\n", "a\nb"),
        ("first\n  second\n  third", "first\n  second\n  third"),
        ("\u{1b}[1A\u{1b}[2Kpulled", "pulled"),
        // Strings, and what is left of them.
        ("\u{1b}]8;;http://x\u{7}link\u{1b}]8;;\u{7} a\u{1b}", "link a"),
        ("a\u{1b}]0;title\u{1b}\\b", "ab"),
        ("a\u{9d}0;title\u{9c}b", "ab"),
        ("a\u{1b}Pq#0;2;0\u{1b}\\b", "ab"),
        ("a\u{1b}_Gf=100;AAAA\u{1b}\\b", "ab"),
        ("a\u{1b}^private\u{1b}\\b", "ab"),
        ("a\u{1b}Xstart\u{1b}\\b", "ab"),
        ("a\u{1b}]0;nobody ends it\nthe next line", "a\nthe next line"),
        ("a\u{1b}]0;nobody ends it", "a"),
        ("a\u{1b}]1337;File=:QUJD\nREVG\u{7}b", "ab"),
        ("a\u{1b}]0;t\u{1b}[1mb", "ab"),
        ("a\u{1b}]0;t\u{18}b", "ab"),
        ("a\u{1b}[12;\u{1b}]0;t\u{7}3mb", "a3mb"),
        // Selections, modes, odd controls, and what is cut.
        ("\u{1b}(Bplain\u{1b}(0lqk\u{1b}(B.", "plain┌─┐."),
        ("\u{1b})0a\u{e}x\u{f}x", "a│x"),
        ("\u{1b}%Gtext\u{1b}#8", "text"),
        ("\u{1b}[?25lhidden\u{1b}[?25h", "hidden"),
        ("\u{1b}=\u{1b}>\u{1b}[?2004hx", "x"),
        ("bell\u{7} nul\0 del\u{7f}.", "bell nul del."),
        ("cut \u{1b}[12", "cut "),
        ("cut \u{1b}[38;2;1", "cut "),
        ("cut \u{1b}(", "cut "),
        ("cut \u{1b}", "cut "),
        ("a\u{1b}[1\u{18}b", "ab"),
        ("", ""),
        ("\n", ""),
    ] {
        assert_eq!(seen(text), shown, "{text:?}");
    }
}

#[test]
fn a_short_text_cannot_become_a_long_one() {
    let far = "\u{1b}[9999Cx".repeat(2_000);
    assert!(plain(&far).len() < 70_000, "{}", plain(&far).len());
    let again = "a\u{1b}[65535b".repeat(2_000);
    assert!(plain(&again).len() < 70_000);
    let inserted = format!("ab\u{8}{}", "\u{1b}[65535@".repeat(2_000));
    assert!(plain(&inserted).len() < 70_000);
    assert_eq!(plain("a\u{1b}[999Cb").trim_start_matches("a").trim_start(), "b");
}

#[test]
fn a_link_is_the_text_shown_and_where_it_leads_where_that_is_a_web_page() {
    let link =
        |text: &str| draw(text, Style::default()).lines[0].iter().find_map(|s| s.link.clone());
    let wrap = |to: &str| format!("see \u{1b}]8;id=1;{to}\u{1b}\\here\u{1b}]8;;\u{1b}\\ now");
    assert_eq!(seen(&wrap("https://a.b/c?d=e;f")), "see here now");
    assert_eq!(link(&wrap("https://a.b/c?d=e;f")).as_deref(), Some("https://a.b/c?d=e;f"));
    let long = format!("https://a.b/{}", "x".repeat(3_000));
    assert_eq!(link(&wrap(&long)).as_deref(), Some(&*long));
    for to in ["file:///etc/passwd", "javascript:alert(1)", "http:", "ssh://x", "", "no address"] {
        assert_eq!(link(&wrap(to)), None, "{to}");
    }
    let drawn = draw(&wrap("http://x.y/"), Style::default());
    let linked: Vec<bool> = drawn.lines[0].iter().map(|span| span.link.is_some()).collect();
    assert_eq!(linked, [false, true, false]);
}

#[test]
fn the_look_at_the_end_is_what_the_next_line_begins_with() {
    let first = draw("\u{1b}[1;31mfailed:", Style::default());
    let second = draw("  expected 1", first.end);
    assert_eq!(pieces(&second.lines[0]), owned(&[("  expected 1", "b1/")]));
    let third = draw("got 2 \u{1b}[0m.", second.end);
    assert_eq!(pieces(&third.lines[0]), owned(&[("got 2 ", "b1/"), (".", "/")]));
    assert_eq!(third.end, Style::default());
    for (one, two) in [
        ("\u{1b}[31m", "x"),
        ("\u{1b}[31m", "\u{1b}[1m"),
        ("\u{1b}[1;31m", "\u{1b}[22m"),
        ("\u{1b}[1;31m", "\u{1b}[0m"),
        ("\u{1b}[4m", "\u{1b}c"),
        ("\u{1b}[44m", "\u{1b}[49;4m\u{1b}]0;\u{1b}[1m"),
    ] {
        let start = draw("\u{1b}[3m", Style::default()).end;
        let drawn = draw(two, draw(one, start).end).end;
        let followed = change(two).after(change(one)).after(Change::to(start));
        assert_eq!(followed.style, drawn, "{one:?} {two:?}");
        assert!(followed.is_whole());
    }
    assert!(change("\u{1b}[1mx\u{1b}[0m").is_whole());
    assert!(change("\u{1b}[2Kx\r").is_none() && change("x").is_none());
}

#[test]
fn tabs_reach_to_their_stops_whatever_is_before_them() {
    let shown = |text: &str| -> String {
        let line = expand(draw(text, Style::default()).lines.remove(0));
        line.iter().map(|span| span.text.as_str()).collect()
    };
    for (text, expected) in [
        ("a\tb\tc", "a       b       c"),
        ("alpha\tb\tc", "alpha   b       c"),
        ("12345678\tx", "12345678        x"),
        ("日本\tx", "日本    x"),
        ("\u{1b}[31mred\u{1b}[0m\tx", "red     x"),
        ("\tx", "        x"),
    ] {
        assert_eq!(shown(text), expected, "{text:?}");
    }
}

#[test]
fn marks_cut_spans_where_they_must() {
    let spans = draw("ab\u{1b}[1mcd\u{1b}[0mef", Style::default()).lines.remove(0);
    let marked = mark(spans, &[(1, 3), (5, 6)]);
    let shown: Vec<_> =
        marked.iter().map(|s| (s.text.as_str(), s.mark, s.style.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("a", false, ""),
            ("b", true, ""),
            ("c", true, "b"),
            ("d", false, "b"),
            ("e", false, ""),
            ("f", true, "")
        ]
    );
}

#[test]
fn json_and_logfmt_lines_have_fields() {
    let json =
        parts(r#"{"ts":1,"level":"info","msg":"it works","user":{"id":7},"n":null}"#).unwrap();
    assert_eq!(json.message.as_deref(), Some("it works"));
    assert_eq!(json.fields, owned(&[("ts", "1"), ("user", r#"{"id":7}"#)]));
    let logfmt = parts(r#"level=warn msg="two \"words\"" took=3ms"#).unwrap();
    assert_eq!(logfmt.message.as_deref(), Some("two \"words\""));
    assert_eq!(logfmt.fields, owned(&[("took", "3ms")]));
    for text in ["a plain line", "a=1", "x = 1 y = 2", "{not json", "[1,2]", "", "a=\"open"] {
        assert_eq!(parts(text), None, "{text}");
    }
}

fn levels(table: &[(&str, Option<Level>)]) {
    let wrong: Vec<_> = table
        .iter()
        .filter(|(text, level)| guess_level(text) != *level)
        .map(|(text, level)| format!("{text:?}: {:?}, not {level:?}", guess_level(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

const TRACE: Option<Level> = Some(Level::Trace);
const DEBUG: Option<Level> = Some(Level::Debug);
const INFO: Option<Level> = Some(Level::Info);
const WARN: Option<Level> = Some(Level::Warn);
const ERROR: Option<Level> = Some(Level::Error);
const FATAL: Option<Level> = Some(Level::Fatal);

#[test]
fn levels_of_json_are_words_and_numbers_anywhere_in_the_object() {
    let late = format!(
        r#"{{"@timestamp":"2026-11-27T12:00:00Z","logger":"{}","thread":"main-1","level":"error"}}"#,
        "x".repeat(60)
    );
    let far = format!(r#"{{"payload":"{}","level":50}}"#, "x \\\" level".repeat(900));
    levels(&[
        (r#"{"level":10,"msg":"x"}"#, TRACE),
        (r#"{"level":20}"#, DEBUG),
        (r#"{"level":30,"time":1,"pid":2,"hostname":"h","msg":"ok"}"#, INFO),
        (r#"{"level":40}"#, WARN),
        (r#"{"level":50,"time":1,"msg":"boom"}"#, ERROR),
        (r#"{"name":"a","hostname":"h","pid":1,"level":60,"msg":"x","v":0}"#, FATAL),
        (r#"{ "level" : "50" }"#, ERROR),
        (r#"{"level":35}"#, INFO),
        (&late, ERROR),
        (&far, ERROR),
        (r#"{"level":"warn","ts":1.7e9,"caller":"a.go:1","msg":"zap"}"#, WARN),
        (r#"{"L":"ERROR","T":"x","M":"zap in development"}"#, ERROR),
        (r#"{"severity":"CRITICAL","message":"gcp"}"#, FATAL),
        (r#"{"severity":500,"message":"gcp"}"#, FATAL),
        (r#"{"message":"x","log.level":"error","ecs.version":"8"}"#, ERROR),
        (r#"{"message":"x","log":{"logger":"a","level":"WARN"}}"#, WARN),
        (r#"{"@t":"2026","@mt":"x","@l":"Error"}"#, ERROR),
        (r#"{"@timestamp":"x","@level":"debug","@message":"hclog"}"#, DEBUG),
        (r#"{"asctime":"x","levelname":"ERROR","message":"python"}"#, ERROR),
        (r#"{"levelno":40,"message":"python"}"#, ERROR),
        (r#"{"message":"x","level_value":30000}"#, WARN),
        (r#"{"message":"x","level":400,"level_name":"ERROR"}"#, ERROR),
        (r#"{"version":"1.1","short_message":"x","level":3}"#, ERROR),
        (r#"{"MESSAGE":"x","PRIORITY":"4"}"#, WARN),
        (r#"{"SeverityText":"ERROR","Body":"x"}"#, ERROR),
        (r#"{"severityNumber":13}"#, WARN),
        (r#"{"EventId":0,"LogLevel":"Warning","Category":"x"}"#, WARN),
        (r#"{"time":"x","level":"ERROR+2","msg":"slog"}"#, ERROR),
        (r#"{"lvl":"eror","t":"x"}"#, ERROR),
        (r#"{"log":"[ERROR] x\n","stream":"stderr","time":"x"}"#, ERROR),
        (r#"web-1  | {"level":50,"msg":"x"}"#, ERROR),
        (r#"2026-11-27T12:00:00Z stdout F {"level":40,"msg":"x"}"#, WARN),
        (r#"{"message":"level is error","status":500}"#, None),
        (r#"{"errors":0,"level":"none"}"#, None),
        (r#"{"level":3,"msg":"the player's level"}"#, None),
        (r#"{"user":{"level":50}}"#, None),
        (r#"{"msg":"\"level\":50"}"#, None),
        (r#"{"priority":3,"attempt":1}"#, None),
        (r#"{"level":"#, None),
        (r#"{"level":"high"}"#, None),
    ]);
}

#[test]
fn levels_of_fields_and_marks_are_read() {
    levels(&[
        ("lvl=eror msg=x", ERROR),
        ("t=2026-11-27 lvl=dbug msg=x", DEBUG),
        ("level=info msg=x", INFO),
        ("time=\"2026-11-27\" level=warning msg=\"level=error in quotes\"", WARN),
        ("ts=1 caller=main.go:3 msg=\"a \\\"quoted\\\" word\" level=error", ERROR),
        ("severity=ERROR x", ERROR),
        ("a=1 log.level=fatal", FATAL),
        ("level=50 msg=x", ERROR),
        ("level=\"warn\" x", WARN),
        ("error_count=0 failed=0", None),
        ("error=none level=ok", None),
        ("loglevel_set=error", None),
        ("E1127 12:00:00.000000   1 main.go:12] boom", ERROR),
        ("W1127 12:00:00.000 1 x.cc:1] x", WARN),
        ("I20261127 12:00:00.000 1 x.cc:1] x", INFO),
        ("F1127 12:00:00.000 1 x] x", FATAL),
        ("E1127 is a part", None),
        ("<11>Nov 27 12:00:00 host app: x", ERROR),
        ("<11>1 2026-11-27T12:00:00Z host app - - - x", ERROR),
        ("<3>kernel", ERROR),
        ("<132>x", WARN),
        ("<999>x", None),
        ("<b>x", None),
        ("E/ActivityManager( 123): x", ERROR),
        ("E/AndroidRuntime: FATAL", ERROR),
        ("W/Tag: x", WARN),
        ("E/S ratio is fine", None),
        ("11-27 12:00:00.000  123  456 W Tag: x", WARN),
        ("2026-11-27T12:00:00.000+0000 E NETWORK  [conn1] x", ERROR),
        ("[E 261127 12:00:00 web:1] 500 GET /", ERROR),
        ("[W] careful", WARN),
        ("::error file=a.js,line=1::x", ERROR),
        ("##[warning]x", WARN),
        ("thread 'main' panicked at src/main.rs:1:1:", FATAL),
        ("a plan I have", None),
        ("Vitamin E 200 mg", None),
    ]);
}

#[test]
fn levels_are_words_where_loggers_put_them_and_not_those_of_sentences() {
    levels(&[
        ("2026-01-01T00:00:00Z ERROR it broke", ERROR),
        ("[WARN] careful", WARN),
        ("\u{1b}[31mERROR\u{1b}[0m x", ERROR),
        ("\u{1b}[2m2026-11-27T12:00:00.0Z\u{1b}[0m \u{1b}[33m WARN\u{1b}[0m my_crate: x", WARN),
        ("error[E0308]: mismatched types", ERROR),
        ("warning: unused variable", WARN),
        ("npm error code E404", ERROR),
        ("npm ERR! code", ERROR),
        ("npm warn deprecated", WARN),
        ("ERR boom", ERROR),
        ("3:04PM ERR boom error=x", ERROR),
        ("[12:00:00 WRN] serilog", WARN),
        ("[wrn] x", WARN),
        ("[eror] x", ERROR),
        ("EROR[11-27|12:00:00] geth", ERROR),
        ("ERRO[0000] logrus", ERROR),
        ("FATA[0012] logrus", FATAL),
        ("INFO [11-27|12:00:00.000] x", INFO),
        ("[2026-11-27T12:00:00Z ERROR my_crate] env_logger", ERROR),
        ("ERROR:root:python", ERROR),
        ("2026-11-27 12:00:00,123 - my.logger - ERROR - python", ERROR),
        ("2026-11-27 12:00:00,123 - root - WARNING - python", WARN),
        ("[2026-11-27 12:00:00,123: ERROR/ForkPoolWorker-1] Task x raised", ERROR),
        ("ERROR:    Exception in ASGI application", ERROR),
        ("INFO:     127.0.0.1:1 - \"GET / HTTP/1.1\" 500 Internal Server Error", INFO),
        ("2026-11-27 12:00:00.123 ERROR 1 --- [           main] c.e.App : x", ERROR),
        ("12:00:00.123 [http nio 8080 exec 1] ERROR c.e.App - x", ERROR),
        ("2026-11-27 12:00:00.000 | ERROR    | __main__:f:1 - loguru", ERROR),
        ("12:00:00 | error | x", ERROR),
        ("1.7e9\terror\tmain.go:3\tboom", ERROR),
        ("Nov 27 12:00:00 host app[12]: ERROR x", ERROR),
        ("Nov 27 12:00:00 host app[12]: error: x", ERROR),
        ("2026/11/27 12:00:00 [error] 12#12: *1 open() failed", ERROR),
        ("[Fri Nov 27 12:00:00 2026] [core:error] [pid 1] x", ERROR),
        ("2026-11-27 12:00:00 UTC [12] ERROR:  relation \"x\" does not exist", ERROR),
        ("psql:a.sql:3: ERROR:  syntax error", ERROR),
        ("2026-11-27T12:00:00Z 1 [Warning] [MY-010055] x", WARN),
        ("SEVERE: x", ERROR),
        ("fail: Microsoft.Hosting[0]", ERROR),
        ("crit: Microsoft.Hosting[0]", FATAL),
        ("dbug: x", DEBUG),
        ("[2026-11-27T12:00:00+00:00] app.ERROR: monolog", ERROR),
        ("E, [2026-11-27T12:00:00 #1] ERROR -- : ruby", ERROR),
        ("2026-11-27 12:00:00,1 4242 ERROR db odoo.http: x", ERROR),
        ("a.c:12:3: error: expected", ERROR),
        ("a.ts(1,2): error TS2304: x", ERROR),
        ("make: *** [all] Error 2", ERROR),
        ("Error: Cannot find module 'x'", ERROR),
        ("panic: runtime error", FATAL),
        ("fatal: not a git repository", FATAL),
        ("2026-11-27 12:00:00 main ERROR log4j", ERROR),
        (
            "2026-11-27T12:00:00.000000000Z [a-thread-with-a-very-long-name-of-its-own] \
             com.example.some.very.long.package.Name ERROR - late",
            ERROR,
        ),
        ("web_1  | ERROR x", ERROR),
        ("the error was not found", None),
        ("no warnings, 0 errors", None),
        ("no errors", None),
        ("No ERROR found", None),
        ("Found 0 failed, 0 errors", None),
        ("0 failed", None),
        ("ERRORS are none", None),
        ("Errors: 0", None),
        ("Error: 0", None),
        ("warning: none", None),
        ("2026-11-27 12:00:00 Retrying after ERROR from server", None),
        ("2026-11-27 12:00:00 Got ERROR from server", None),
        ("2026-11-27 12:00:00 error rate is 0", None),
        ("GET /error 404", None),
        ("ERR_CONNECTION_RESET", None),
        ("Task stopped (error)", None),
        ("<error>none</error>", None),
        ("error handling is set up", None),
        ("the log level is INFO", None),
        ("Downloading error-prone-2.3.jar", None),
        ("debugging information", None),
        ("", None),
    ]);
}

/// Texts that a terminal has trouble with.
fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,4}",
        "[\\x00-\\x1f\\x7f]",
        "[a-z0-9 \t\n\r]{0,6}",
        "\u{1b}\\[[?>!]?[0-9;:]{0,8}[@-~]",
        "\u{1b}\\[[0-9]{1,2}[A-KPXZ@abdm`]",
        "\u{1b}[\\]P_^X](8;;https://a\\.b/)?[a-z]{0,3}(\u{7}|\u{1b}\\\\)?",
        "\u{1b}[78cDEM()0B]",
        "[\u{80}-\u{9f}]",
        "[日本e\u{301}\u{200d}👩]{1,3}",
        "(level|lvl|msg)=\"?[a-z0-9\\\\é]{0,5}",
        "[{\"level:50,}]{1,12}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_drawn_searched_and_followed_alike(text in any_text(), before in any_text()) {
        let shown = seen(&text);
        prop_assert!(!shown.contains(|c: char| c.is_control() && c != '\t' && c != '\n'), "{shown:?}");
        let start = draw(&before, Style::default()).end;
        let drawn = draw(&text, start);
        prop_assert_eq!(change(&text).after(Change::to(start)).style, drawn.end);
        for line in drawn.lines {
            prop_assert!(expand(line).iter().all(|span| !span.text.contains('\t')));
        }
        let _ = guess_level(&text);
        let _ = parts(&text);
    }
}
