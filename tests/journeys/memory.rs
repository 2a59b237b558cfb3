//! What of a key is left in memory once its server is removed.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jobwatch_core::server::DialectKind;
use jobwatch_demo::{Demo, DemoOptions, JobSpec};

use super::journey;
use super::steps::Server;

/// Bytes read at a time; a copy may lie across two.
const STEP: usize = 1 << 20;

/// The button of the open dialog, which is called like the one that opened it.
const CONFIRM: &str = "
const buttons = [...document.querySelectorAll('dialog[open] button')];
buttons.find((button) => button.textContent.includes('Remove the server')).click();
return null;
";

/// How long copies may live on after the server is gone: buffers of the message bus go with the next
/// few messages. A key that is sent as it is was still in a buffer of the web engine after 19 s.
const BOUND: Duration = Duration::from_secs(15);

/// The processes of this home whose program has this name.
fn processes(home: &Path, program: &str) -> Vec<u32> {
    let own = |id: &u32| {
        let directory = PathBuf::from(format!("/proc/{id}"));
        let is = std::fs::read_link(directory.join("exe"))
            .is_ok_and(|exe| exe.file_name().is_some_and(|name| name == program));
        let home = [b"HOME=", home.as_os_str().as_bytes()].concat();
        let environment = std::fs::read(directory.join("environ")).unwrap_or_default();
        is && environment.split(|byte| *byte == 0).any(|entry| entry == home)
    };
    let all = std::fs::read_dir("/proc").expect("the processes");
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(own).collect()
}

/// How often these bytes are in what a process may write to.
fn copies(process: u32, wanted: &[u8]) -> usize {
    let directory = PathBuf::from(format!("/proc/{process}"));
    let Ok(maps) = std::fs::read_to_string(directory.join("maps")) else { return 0 };
    let (Ok(mut memory), Ok(mut pages)) = (
        std::fs::File::open(directory.join("mem")),
        std::fs::File::open(directory.join("pagemap")),
    ) else {
        panic!("the memory of {process} cannot be read");
    };
    let mut found = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((first, last)) = range.split_once('-') else { continue };
        let (Ok(first), Ok(last)) = (u64::from_str_radix(first, 16), u64::from_str_radix(last, 16))
        else {
            continue;
        };
        if !rights.starts_with("rw") {
            continue;
        }
        let mut at = first;
        let mut tail: Vec<u8> = Vec::new();
        while at < last {
            let length = usize::try_from(last - at).unwrap_or(STEP).min(STEP);
            // A reservation that nothing has touched is most of it.
            if touched(&mut pages, at, length) {
                let mut block = vec![0; length];
                if memory.seek(SeekFrom::Start(at)).is_ok() && memory.read_exact(&mut block).is_ok()
                {
                    tail.extend_from_slice(&block);
                    found += memchr::memmem::find_iter(&tail, wanted).count();
                    let keep = tail.len().saturating_sub(wanted.len() - 1);
                    tail.drain(..keep);
                } else {
                    tail.clear();
                }
            } else {
                tail.clear();
            }
            at += length as u64;
        }
    }
    found
}

/// Whether any page of a stretch of memory is there, or swapped out.
fn touched(pages: &mut std::fs::File, at: u64, length: usize) -> bool {
    const PAGE: u64 = 4096;
    let mut entries = vec![0; length.div_ceil(4096) * 8];
    if pages.seek(SeekFrom::Start(at / PAGE * 8)).is_err()
        || pages.read_exact(&mut entries).is_err()
    {
        return true;
    }
    entries.chunks_exact(8).any(|entry| entry[7] & 0b1100_0000 != 0)
}

#[test]
fn a_removed_servers_key_is_nowhere_in_the_programs_memory_after_a_few_seconds() {
    const KEY: &str = "sk-memory-3fb27c1d90aa4e6e";
    journey("memory", async |session| {
        let options = DemoOptions { life: false, ..DemoOptions::default() };
        let demo = Demo::start(options).await.expect("the demo");
        let kind = DialectKind::Kecs;
        let _running = demo.control(kind).start_job(JobSpec::default());
        let (server, _) =
            demo.servers().into_iter().find(|(s, _)| s.dialect == kind).expect("a server");
        session.open(&[]).await;
        let home = session.home().to_owned();
        let window = session.window();
        let filled =
            Server { url: &server.ws, kind: kind.title(), name: "Tasks", key: KEY, watch: "all" };
        window.connect_to("Connect a server", &filled, server.api.as_deref()).await;
        window.status("Tasks", "Live").await;
        window.find_like("row", ", Running").await;

        let count = |program: &str| -> usize {
            let processes = processes(&home, program);
            assert!(!processes.is_empty(), "no process of {program}");
            processes.into_iter().map(|id| copies(id, KEY.as_bytes())).sum()
        };
        let held = count("jobwatch");
        println!(
            "while it is used: {held} in the program, {} in the page",
            count("WebKitWebProcess")
        );
        assert!(held > 0, "the search finds the key that is used");

        window.click("button", "Remove the server").await;
        window.find("dialog", "Remove \u{201c}Tasks\u{201d}?").await;
        window.run(CONFIRM, vec![]).await;
        window.find("button", "Connect a server").await;
        let begun = Instant::now();
        loop {
            let left = (count("jobwatch"), count("WebKitWebProcess"));
            println!("{:.1} s after: {left:?}", begun.elapsed().as_secs_f64());
            if left.0 == 0 {
                break;
            }
            assert!(
                begun.elapsed() < BOUND,
                "{left:?} copies are left in the program and the page"
            );
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        demo.stop().await;
    });
}
