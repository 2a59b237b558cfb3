//! Memory that the program does not need while it has no window.

/// Lets go of what is in memory of this program's own file and its libraries': most of it starts the
/// program or draws its window, and what is needed again is read from its file, mostly from the
/// system's cache of it.
#[cfg(target_os = "linux")]
pub fn release() {
    match linux::release() {
        Ok(let_go) => tracing::debug!(let_go, "bytes of code let go"),
        Err(error) => tracing::debug!(%error, "the code stays in memory"),
    }
}

/// Elsewhere the system does it by itself.
#[cfg(not(target_os = "linux"))]
pub fn release() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::ops::Range;

    use rustix::mm::{Advice, madvise};

    /// How code and what it reads besides are mapped.
    const CODE: &str = "r-xp";
    const CONSTANTS: &str = "r--p";

    /// Answers how many bytes are mapped, in memory or not.
    pub fn release() -> io::Result<usize> {
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

    /// Where programs and libraries are mapped that nobody may write to, or has written to before
    /// that, of `/proc/self/smaps`. A page that was written to is the program's own: it is
    /// `Anonymous`, or in `Swap`. Other files may be unmapped at any moment, by any thread.
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
        fn only_what_is_as_in_its_file_is_let_go() {
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
            // What the loader has written to stays, also where it is in the swap.
            assert_eq!(only(&mapping(lib, 8, 0)), None);
            assert_eq!(only(&mapping(lib, 0, 8)), None);
            let relocated = mapping("5000-6000 r--p 0 08:01 77 /usr/lib/a b.so", 4, 0);
            let constants = mapping("8000-9000 r--p 0 08:01 77 /usr/lib/a b.so", 0, 0);
            let several = [mapping(lib, 0, 0), relocated, constants].concat();
            assert_eq!(code(&several), [0x1000..0x3000, 0x8000..0x9000]);
        }

        #[test]
        fn the_program_goes_on_with_less_in_memory() {
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
