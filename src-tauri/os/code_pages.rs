//! Releases memory that the program does not need without a window.

/// Releases the file-backed pages of the program and its libraries with `madvise`. Most of them hold
/// code that starts the program or draws the window; what is needed again is read from the file or the
/// page cache.
#[cfg(target_os = "linux")]
pub fn release() {
    match linux::release() {
        Ok(released) => tracing::debug!(released, "bytes of code released"),
        Err(error) => tracing::debug!(%error, "could not release code pages"),
    }
}

/// Does nothing: these systems release code by themselves.
#[cfg(not(target_os = "linux"))]
pub fn release() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::ops::Range;

    use rustix::mm::{Advice, madvise};

    /// The access flags of code and of read-only data.
    const CODE: &str = "r-xp";
    const CONSTANTS: &str = "r--p";

    /// Returns how many bytes were mapped, in memory or not.
    pub fn release() -> io::Result<usize> {
        let mappings = std::fs::read_to_string("/proc/self/smaps")?;
        let mut sum = 0;
        for code in code(&mappings) {
            let start = std::ptr::with_exposed_provenance_mut(code.start);
            // SAFETY: a released page is read from the file again at the next access, unchanged: nothing
            // has written to the mapping, and nothing may. It is still the same mapping: new libraries
            // are loaded elsewhere, and none is unloaded while the program runs.
            #[allow(unsafe_code)]
            unsafe {
                madvise(start, code.len(), Advice::LinuxDontNeed)?;
            }
            sum += code.len();
        }
        Ok(sum)
    }

    /// The unmodified, read-only mappings of programs and libraries in `/proc/self/smaps`. A modified
    /// page counts as `Anonymous` or `Swap`. Other files may be unmapped at any moment, by any thread.
    fn code(mappings: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        // A mapping that may be released, unless a later line rules it out.
        let mut candidate = None;
        for line in mappings.lines() {
            let mut fields = line.split_ascii_whitespace();
            match (fields.next(), fields.next()) {
                (Some("Anonymous:" | "Swap:"), Some(kib)) if kib != "0" => candidate = None,
                (Some(field), _) if field.ends_with(':') => {}
                (Some(range), Some(access)) => {
                    found.extend(candidate.take());
                    let file = fields.nth(2).filter(|inode| *inode != "0");
                    candidate = match (addresses(range), file) {
                        (Some(range), Some(file)) => Some((range, access, file)),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        found.extend(candidate);
        let runs = |file: &str| found.iter().any(|(_, of, other)| *of == CODE && *other == file);
        let fixed = found.iter().filter(|(_, access, file)| match *access {
            CODE => true,
            CONSTANTS => runs(file),
            _ => false,
        });
        fixed.map(|(range, ..)| range.clone()).collect()
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
        fn only_unmodified_code_is_released() {
            let only = |text: &str| match code(text).as_slice() {
                [] => None,
                [one] => Some(one.clone()),
                several => panic!("{several:?}"),
            };
            let of = |head: &str| only(&mapping(head, 0, 0));
            let lib = "1000-3000 r-xp 00001000 08:01 77 /usr/lib/a b.so";
            let whole = Some(0x1000..0x3000);
            assert_eq!(of(lib), whole);
            // A file that holds no code.
            assert_eq!(of("1000-3000 r--p 00001000 08:01 78 /usr/share/font"), None);
            assert_eq!(of("1000-3000 rw-p 00001000 08:01 77 /usr/lib/a.so"), None);
            assert_eq!(of("1000-3000 rwxp 00001000 08:01 77 /usr/lib/a.so"), None);
            assert_eq!(of("1000-3000 r--s 00001000 08:01 77 /usr/share/cache"), None);
            assert_eq!(of("1000-3000 r-xp 00000000 00:00 0 "), None);
            assert_eq!(of("1000-3000 r-xp 00000000 00:00 0 [vdso]"), None);
            // What the loader has modified stays, even if it is swapped out.
            assert_eq!(only(&mapping(lib, 8, 0)), None);
            assert_eq!(only(&mapping(lib, 0, 8)), None);
            let relocated = mapping("5000-6000 r--p 0 08:01 77 /usr/lib/a b.so", 4, 0);
            let constants = mapping("8000-9000 r--p 0 08:01 77 /usr/lib/a b.so", 0, 0);
            let several = [mapping(lib, 0, 0), relocated, constants].concat();
            assert_eq!(code(&several), [0x1000..0x3000, 0x8000..0x9000]);
        }

        #[test]
        fn the_program_runs_on_with_less_resident_memory() {
            let in_memory = || {
                let status = std::fs::read_to_string("/proc/self/status").unwrap();
                let line = status.lines().find(|line| line.starts_with("RssFile:")).unwrap();
                line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
            };
            let before = in_memory();
            assert!(release().unwrap() > 0);
            assert!(in_memory() < before);
        }
    }
}
