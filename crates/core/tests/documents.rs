//! The documents name the dialects as the table does.

#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

use jobwatch_core::server::DialectKind;

#[test]
fn the_table_of_servers_in_the_documents_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/servers.md");
    let text = std::fs::read_to_string(path).unwrap();
    let documented: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with("| Kind |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    let table = DialectKind::ALL.map(|kind| {
        let info = kind.info();
        let (socket, key) = (info.socket_text(), info.key_text());
        format!("| {} | `{}` | {socket} | {key} |", info.title, kind.word())
    });
    assert_eq!(documented, table, "set the table of docs/servers.md to this");
}
