//! One binary: the window without arguments, the command line with a subcommand.

use std::process::ExitCode;

use jobwatch_app::cli::args::{self, Args};
use jobwatch_app::os::paths::Paths;
use jobwatch_app::{app, cli};

#[global_allocator]
static ALLOCATOR: jobwatch_app::os::zeroizing_allocator::ZeroizingAllocator =
    jobwatch_app::os::zeroizing_allocator::ZeroizingAllocator;

fn main() -> ExitCode {
    let args = match Args::read(std::env::args_os()) {
        Ok(args) => args,
        Err(answer) => return answer.print(),
    };
    let paths = Paths::find(args.data_dir.as_deref(), args.config.as_deref());
    match args.command {
        Some(command) => cli::run(command, paths),
        None => match paths.map_err(anyhow::Error::from).and_then(|paths| {
            choose_renderer();
            let deep_link = args.deep_link();
            app::run(app::Start { paths, demo: args.demo, hidden: args.hidden, deep_link })
        }) {
            Ok(code) => code,
            Err(error) => {
                jobwatch_app::print_stderr(format_args!("{error:#}."));
                ExitCode::from(args::EXIT_UNAVAILABLE)
            }
        },
    }
}

/// Turns off WebKitGTK's DMA-BUF renderer where it does harm, unless the user has set it: it shows a
/// blank window with NVIDIA's driver, and costs memory and time without a GPU. Without a GPU, GTK
/// need not load software OpenGL either.
#[cfg(target_os = "linux")]
fn choose_renderer() {
    const RENDERER: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    const TOOLKIT: &str = "GDK_GL";
    let render_node = std::fs::read_dir("/dev/dri").is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("renderD"))
    });
    let nvidia = std::path::Path::new("/proc/driver/nvidia/version").exists();
    let mut wanted = Vec::new();
    if nvidia || !render_node {
        wanted.push((RENDERER, "1"));
    }
    if !nvidia && !render_node {
        wanted.push((TOOLKIT, "disable"));
    }
    for (name, value) in wanted {
        if std::env::var_os(name).is_none() {
            // SAFETY: no other thread exists yet: main has only read arguments and file names.
            #[allow(unsafe_code)]
            unsafe {
                std::env::set_var(name, value);
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn choose_renderer() {}
