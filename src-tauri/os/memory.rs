//! Memory that the program does not need while it has no window.

/// Lets go of the code in memory, of this program and its libraries: most of it starts the program
/// or draws its window, and what is needed again is read from its file, mostly from the system's
/// cache of it.
#[cfg(target_os = "linux")]
pub fn let_go_of_code() {
    match linux::let_go_of_code() {
        Ok(let_go) => tracing::debug!(let_go, "bytes of code let go"),
        Err(error) => tracing::debug!(%error, "the code stays in memory"),
    }
}

/// Elsewhere the system does it by itself.
#[cfg(not(target_os = "linux"))]
pub fn let_go_of_code() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::ops::Range;

    use rustix::mm::{Advice, madvise};

    /// Answers how many bytes are mapped, in memory or not.
    pub fn let_go_of_code() -> io::Result<usize> {
        let maps = std::fs::read_to_string("/proc/self/maps")?;
        let mut sum = 0;
        for code in maps.lines().filter_map(code) {
            let start = std::ptr::with_exposed_provenance_mut(code.start);
            // SAFETY: what is let go is read from the file again at the next touch, and it is the same:
            // nobody can have written to a mapping of a file that is only read and executed. It is
            // still that mapping: what is loaded meanwhile lies elsewhere, and nothing that has code
            // is unloaded while the program runs.
            #[allow(unsafe_code)]
            unsafe {
                madvise(start, code.len(), Advice::LinuxDontNeed)?;
            }
            sum += code.len();
        }
        Ok(sum)
    }

    /// Where a file's code is mapped, of a line of `/proc/self/maps`:
    /// `7f00-7f10 r-xp 00001000 08:01 1234 /usr/lib/libc.so.6`.
    fn code(line: &str) -> Option<Range<usize>> {
        let mut fields = line.split_ascii_whitespace();
        let (range, access, inode) = (fields.next()?, fields.next()?, fields.nth(2)?);
        let (start, end) = range.split_once('-')?;
        let address = |text: &str| usize::from_str_radix(text, 16).ok();
        (access == "r-xp" && inode != "0").then_some(address(start)?..address(end)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_code_that_is_in_a_file_is_let_go() {
            let of = |line: &str| code(line);
            assert_eq!(
                of("1000-3000 r-xp 00001000 08:01 77 /usr/lib/a b.so"),
                Some(0x1000..0x3000)
            );
            assert_eq!(of("1000-3000 r--p 00001000 08:01 77 /usr/lib/relocated.so"), None);
            assert_eq!(of("1000-3000 rwxp 00001000 08:01 77 /usr/lib/patched.so"), None);
            assert_eq!(of("1000-3000 r-xp 00000000 00:00 0 "), None);
            assert_eq!(of("1000-3000 r-xp 00000000 00:00 0 [vdso]"), None);
            assert_eq!(of("1000-3000 rw-p 00000000 00:00 0 [heap]"), None);
        }

        #[test]
        fn the_program_goes_on_with_less_in_memory() {
            let in_memory = || {
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                let line = status.lines().find(|line| line.starts_with("RssFile:")).unwrap();
                line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
            };
            let before = in_memory();
            assert!(let_go_of_code().unwrap() > 0);
            assert!(in_memory() < before);
        }
    }
}
