//! Data that the page shares with the core: the table of dialects, and the names of parameters that
//! carry secrets. Generated into `ui/src/lib/generated`.

use std::{env, fs};

use jobwatch_core::dialect::table::OptionInfo;
use jobwatch_core::secret::SECRET_NAMES;
use jobwatch_core::server::DialectKind;
use serde::Serialize;

/// What stands before the data.
const HEAD: &str = "\
// Generated from the table of dialects in crates/core by `cargo xtask bindings`. Do not edit.

/** A setting that only one kind of server knows. */
export interface DialectOption {
  name: string;
  label: string;
  hint: string;
}

/** A kind of server. */
export interface Dialect {
  /** Its name in settings and on the command line. */
  word: string;
  title: string;
  /** What it is and where it usually listens. */
  hint: string;
  /** An address as people would enter it. */
  example: string;
  /** What its key is and where people find it. */
  keyHelp: string;
  /** Whether its servers give keys out to those who sign in with e-mail and password. */
  signsIn: boolean;
  /** Whether its socket is Socket.IO, so that there is a namespace. */
  socketIo: boolean;
  options: readonly DialectOption[];
  /** The ports on which its address usually is. */
  ports: readonly number[];
  /** Paths in an address that only this kind has. */
  paths: readonly string[];
  /** Parts of a host's name that suggest this kind. */
  hostWords: readonly string[];
}

/** All kinds of servers, in the order in which they are offered. */
export const DIALECTS: readonly Dialect[] = ";

const SECRET_NAMES_HEAD: &str = "\
// Generated from crates/core/src/secret.rs by `cargo xtask bindings`. Do not edit.

/** Names of query parameters that usually carry a secret, in lower case and without - and _. */
export const SECRET_NAMES: readonly string[] = ";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dialect {
    word: &'static str,
    title: &'static str,
    hint: &'static str,
    example: &'static str,
    key_help: &'static str,
    signs_in: bool,
    socket_io: bool,
    options: &'static [OptionInfo],
    ports: &'static [u16],
    paths: &'static [&'static str],
    host_words: &'static [&'static str],
}

impl Dialect {
    fn of(kind: DialectKind) -> Dialect {
        let info = kind.info();
        Dialect {
            word: kind.word(),
            title: info.title,
            hint: info.hint,
            example: info.example,
            key_help: info.key_help,
            signs_in: info.signs_in,
            socket_io: info.namespace().is_some(),
            options: info.options,
            ports: info.ports,
            paths: info.paths,
            host_words: info.host_words,
        }
    }
}

/// Named like the tests that write the page's types, so that it runs with them.
#[test]
fn export_bindings_dialects() {
    let data = serde_json::to_string_pretty(&DialectKind::ALL.map(Dialect::of)).unwrap();
    let Some(directory) = env::var_os("TS_RS_EXPORT_DIR") else { return };
    let path = std::path::Path::new(&directory).join("dialects.ts");
    fs::write(path, format!("{HEAD}{data};\n")).unwrap();
}

#[test]
fn export_bindings_secret_names() {
    let names = serde_json::to_string_pretty(&SECRET_NAMES).unwrap();
    let Some(directory) = env::var_os("TS_RS_EXPORT_DIR") else { return };
    let path = std::path::Path::new(&directory).join("secretNames.ts");
    fs::write(path, format!("{SECRET_NAMES_HEAD}{names};\n")).unwrap();
}
