//! The project's own commands. They start other programs and hold no logic of the product.

mod bench;
mod check;
mod dev;
mod packages;
mod page;
mod release;
mod run;
mod shell;
mod test;
mod tidy;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
Usage: cargo xtask <command>

  run [--release]    install what is missing, build everything, open the window on the demo
  dev                serve the page with hot reload in a browser, on the real engine and the demo
  test [filter]      install what the tests need and run every test (or those whose name matches)
  check              format, lints, house rules, the page's types
  ci                 check, then test
  tidy               the house rules alone: dependencies, secrets, limits, generated bindings
  tidy --counts      print files, lines, circles, the longest files and functions
  tidy --shrink      lower the list of what exceeds a limit
  bindings           generate the page's types from the Rust ones again
  bench [filter]     run the benchmarks: all, `logs`, `scale`, `window`, `idle`, or the core's by name
  bundle             build the .deb and the .rpm
  screenshots        make the pictures in docs/ from the real window
  icons              export the icons again from icons/icon.svg";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["run"] => run::run(run::Profile::Debug),
        ["run", "--release"] => run::run(run::Profile::Release),
        ["dev"] => dev::dev(),
        ["test"] => test::test(None),
        ["test", filter] => test::test(Some(filter)),
        ["check"] => check::check(),
        ["ci"] => check::check().and_then(|()| test::test(None)),
        ["tidy"] => tidy::tidy(),
        ["tidy", "--counts"] => tidy::counts(),
        ["tidy", "--shrink"] => tidy::shrink(),
        ["bindings"] => tidy::bindings::regenerate(),
        ["bench"] => bench::bench(None),
        ["bench", filter] => bench::bench(Some(filter)),
        ["bundle"] => release::bundle(),
        ["screenshots"] => release::screenshots(),
        ["icons"] => release::icons(),
        [] | ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("`{}` is not a command\n\n{USAGE}", other.join(" ")),
    }
}
