//! Memory that the program does not need while it has no window.

/// Lets go of what is in memory of this program's own file and its libraries': most of it starts the
/// program or draws its window, and what is needed again is read from its file, mostly from the
/// system's cache of it.
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
        let mappings = std::fs::read_to_string("/proc/self/smaps")?;
        let mut sum = 0;
        for code in code(&mappings) {
            let start = std::ptr::with_exposed_provenance_mut(code.start);
            // SAFETY: what is let go is read from the file again at the next touch, and it is the same:
            // nobody has written to the mapping, and nobody may. It is still that mapping: what is
            // loaded meanwhile lies elsewhere, and no library is unloaded while the program runs.
            #[allow(unsafe_code)]
            unsafe {
                madvise(start, code.len(), Advice::LinuxDontNeed)?;
            }
            sum += code.len();
        }
        Ok(sum)
    }

    /// Where files are mapped that nobody may write to, or has written to before that, of
    /// `/proc/self/smaps`. A page that was written to is the program's own: it is `Anonymous`, or
    /// in `Swap`.
    fn code(mappings: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        // What may be let go, until a line tells that it may not.
        let mut candidate = None;
        for line in mappings.lines() {
            let mut fields = line.split_ascii_whitespace();
            match (fields.next(), fields.next()) {
                (Some("Anonymous:" | "Swap:"), Some(kib)) if kib != "0" => candidate = None,
                (Some(field), _) if field.ends_with(':') => {}
                (Some(range), Some(access)) => {
                    found.extend(candidate.take());
                    let of_file = fields.nth(2).is_some_and(|inode| inode != "0");
                    let fixed = matches!(access, "r-xp" | "r--p");
                    candidate = if of_file && fixed { addresses(range) } else { None };
                }
                _ => {}
            }
        }
        found.extend(candidate);
        found
    }

    fn addresses(range: &str) -> Option<Range<usize>> {
        let (start, end) = range.split_once('-')?;
        let address = |text: &str| usize::from_str_radix(text, 16).ok();
        Some(address(start)?..address(end)?)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// A mapping as the kernel lists it, shortened.
        fn mapping(head: &str, anonymous: u32, swap: u32) -> String {
            format!(
                "{head}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous} kB\nSwap: {swap} kB\n\
                 VmFlags: rd mr mw me\n"
            )
        }

        #[test]
        fn only_what_is_as_in_its_file_is_let_go() {
            let of = |head: &str| code(&mapping(head, 0, 0));
            let lib = "1000-3000 r-xp 00001000 08:01 77 /usr/lib/a b.so";
            assert_eq!(of(lib), [0x1000..0x3000]);
            assert_eq!(of("1000-3000 r--p 00001000 08:01 77 /usr/lib/a.so"), [0x1000..0x3000]);
            assert!(of("1000-3000 rw-p 00001000 08:01 77 /usr/lib/a.so").is_empty());
            assert!(of("1000-3000 rwxp 00001000 08:01 77 /usr/lib/a.so").is_empty());
            assert!(of("1000-3000 r--s 00001000 08:01 77 /usr/share/cache").is_empty());
            assert!(of("1000-3000 r-xp 00000000 00:00 0 ").is_empty());
            assert!(of("1000-3000 r-xp 00000000 00:00 0 [vdso]").is_empty());
            // What the loader has written to stays, also where it is in the swap.
            assert!(code(&mapping(lib, 8, 0)).is_empty());
            assert!(code(&mapping(lib, 0, 8)).is_empty());
            let several = [mapping(lib, 0, 0), mapping("5000-6000 r--p 0 08:01 7 /b", 4, 0)];
            assert_eq!(code(&several.concat()), [0x1000..0x3000]);
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
