//! System packages: what is needed, why, and whether it is there.

use std::path::Path;

use anyhow::{Result, bail};

use crate::shell::{exists, heading, program};

/// A Debian package and what it is for.
pub struct Package {
    name: &'static str,
    why: &'static str,
}

const fn package(name: &'static str, why: &'static str) -> Package {
    Package { name, why }
}

/// What building the program takes.
pub const BUILD: &[Package] = &[
    package("build-essential", "C compiler and linker"),
    package("pkg-config", "finds the libraries below"),
    package("libgtk-3-dev", "the window"),
    package("libwebkit2gtk-4.1-dev", "draws the page in the window"),
    package("libdbus-1-dev", "talks to the desktop"),
    package("ca-certificates", "trusts the servers' certificates"),
];

/// What the program uses where it is there.
pub const RUN: &[Package] = &[package("libayatana-appindicator3-1", "an icon in the tray")];

/// What building packages takes beyond what building the program does.
pub const BUNDLE: &[Package] =
    &[package("libayatana-appindicator3-dev", "tells the packages which library the tray needs")];

/// What the tests take beyond that.
pub const TEST: &[Package] = &[
    package("xvfb", "a screen for the window under test"),
    package("webkit2gtk-driver", "steers the window under test"),
    package("dbus", "a private message bus for each test"),
    package("gnome-keyring", "a keyring on that bus"),
    package("dunst", "a notification daemon on that bus"),
    package("redis-server", "the queue behind the NestJS test server"),
    package("xauth", "access to that screen"),
    package("trayer", "a tray for the program's icon"),
];

/// What the benchmarks measure by.
pub const BENCH: &[Package] = &[package("ripgrep", "what searches of logs are measured by")];

/// What exporting icons takes.
pub const ICONS: &[Package] = &[package("librsvg2-bin", "draws icons/icon.svg")];

/// Installs what is missing, having said what and why; on systems without `apt-get` prints what to
/// install and goes on, since the same libraries have other names there.
///
/// # Errors
/// When the installation fails or nobody here may do it.
pub fn ensure(groups: &[&[Package]]) -> Result<()> {
    let packages: Vec<&Package> = groups.iter().flat_map(|group| group.iter()).collect();
    if !Path::new("/etc/debian_version").exists() || !exists("apt-get") {
        heading("System packages");
        println!("This system has no apt-get. Jobwatch needs what Debian and Ubuntu call:");
        print_list(&packages);
        println!("Going on in the hope that they are here.");
        return Ok(());
    }
    let missing: Vec<&Package> =
        packages.into_iter().filter(|package| !is_installed(package)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    heading("System packages");
    println!("These are missing and will be installed with apt-get:");
    print_list(&missing);
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let as_root = program("id").arg("-u").output()?.trim() == "0";
    if !as_root && !exists("sudo") {
        bail!(
            "only root can install them, and there is no sudo here; run as root:\n  \
             apt-get update && apt-get install --yes {}",
            names.join(" ")
        );
    }
    let apt = || {
        let apt = if as_root { program("apt-get") } else { program("sudo").arg("apt-get") };
        apt.env("DEBIAN_FRONTEND", "noninteractive")
    };
    apt().args(&["update", "--quiet"]).run()?;
    apt().args(&["install", "--yes", "--quiet", "--no-install-recommends"]).args(&names).run()
}

fn print_list(packages: &[&Package]) {
    for package in packages {
        println!("  {:<24} {}", package.name, package.why);
    }
}

fn is_installed(package: &Package) -> bool {
    program("dpkg-query")
        .args(&["--show", "--showformat=${db:Status-Status}", package.name])
        .output()
        .is_ok_and(|status| status == "installed")
}
