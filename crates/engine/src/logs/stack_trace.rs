//! Which lines go on with what the line before them began: stack traces as languages print them.

/// Looks at lines in the order in which they come.
#[derive(Clone, Copy, Debug, Default)]
pub struct StackTrace {
    /// What a line may begin with to go on.
    after: After,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum After {
    /// Nothing special.
    #[default]
    Line,
    /// A frame of a trace, or what introduces one.
    Frame,
    /// A frame of Python, which is followed by the line of source.
    PythonFrame,
}

impl StackTrace {
    /// Whether this line goes on.
    #[inline]
    pub fn goes_on(&mut self, text: &str) -> bool {
        // Most lines begin with something else, and are done with here.
        let first = text.as_bytes().first().copied().unwrap_or(b'x');
        let usual = !matches!(first, b' ' | b'\t' | b'C' | b'.' | b'T' | b'g' | b's');
        if usual && self.after == After::Line {
            return false;
        }
        let (after, goes_on) = self.read(text);
        self.after = after;
        goes_on
    }

    fn read(self, text: &str) -> (After, bool) {
        let inner = text.trim_start();
        let indented = inner.len() < text.len();
        if text.starts_with("Caused by: ") || text.starts_with("Suppressed: ") {
            return (After::Frame, true);
        }
        if is_bare(text) || text.starts_with("stack backtrace:") || text.starts_with("goroutine ") {
            return (After::Frame, false);
        }
        if !indented {
            // The error that ends a Python traceback belongs to it.
            let ends = self.after == After::PythonFrame && is_error(text);
            return (After::Line, ends);
        }
        if inner.starts_with("File \"") && inner.contains("\", line ") {
            return (After::PythonFrame, true);
        }
        if self.after == After::PythonFrame {
            return (After::PythonFrame, true);
        }
        let frame = inner.strip_prefix("at ").is_some_and(|rest| !rest.is_empty())
            || is_more(inner)
            || is_numbered(inner)
            || is_go(inner);
        (if frame { After::Frame } else { After::Line }, frame)
    }
}

/// Whether a line only begins a trace, and says nothing of what went wrong.
#[must_use]
pub fn is_bare(text: &str) -> bool {
    text.starts_with("Traceback (most recent call last)")
}

/// `... 12 more`, `... 3 common frames omitted`.
fn is_more(text: &str) -> bool {
    text.strip_prefix("... ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `12: core::panicking::panic`, as Rust numbers frames.
fn is_numbered(text: &str) -> bool {
    text.split_once(": ").is_some_and(|(number, name)| {
        !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) && name.contains("::")
    })
}

/// `/srv/app/main.go:12 +0x1d`, as Go names places.
fn is_go(text: &str) -> bool {
    text.split_once(".go:").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// `ValueError: x`, `app.errors.Broken`.
fn is_error(text: &str) -> bool {
    let name = text.split([':', ' ']).next().unwrap_or("");
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn going_on(text: &str) -> Vec<usize> {
        let mut trace = StackTrace::default();
        text.lines().enumerate().filter(|(_, line)| trace.goes_on(line)).map(|(n, _)| n).collect()
    }

    #[test]
    fn frames_go_on_with_the_error_they_belong_to() {
        let java = "java.lang.RuntimeException: x\n\tat a.B.c(B.java:1)\n\t... 2 more\n\
                    Caused by: java.io.IOException\n\tat d.E.f(E.java:9)\nnext";
        assert_eq!(going_on(java), [1, 2, 3, 4]);
        let node = "TypeError: x is not a function\n    at Object.<anonymous> (/a.js:1:1)\nnext";
        assert_eq!(going_on(node), [1]);
        let python = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\n    g()\n\
                      ValueError: bad\nnext";
        assert_eq!(going_on(python), [1, 2, 3]);
        let rust = "thread 'main' panicked\nstack backtrace:\n   0: core::panicking::panic\n\
                    \x20            at /rustc/x.rs:1\nnext";
        assert_eq!(going_on(rust), [2, 3]);
        let go = "goroutine 1 [running]:\nmain.main()\n\t/srv/main.go:12 +0x1d\nnext";
        assert_eq!(going_on(go), [2]);
    }

    #[test]
    fn indented_lines_that_are_no_frames_stand_alone() {
        let build = "   Compiling serde v1.0.0\n    Finished dev\n  at\n\t- item\n{\n  \"a\": 1\n}";
        assert_eq!(going_on(build), Vec::<usize>::new());
    }
}
